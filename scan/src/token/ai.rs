//! Keys of services for machine learning.

use super::alphabet::{BASE62, BASE64URL, DIGIT, HEX, LETTER, LOWER_DIGIT};
use super::cloud::letters_and_digits;
use super::shape::Part::{Is, Run};
use super::shape::shape;
use super::table::{rules, shapes};
use super::verdict::{Candidate, Verdict};

rules! {
    ANTHROPIC_KEY = "anthropic-key", "an Anthropic API key", ExternalSecret;
    CEREBRAS_KEY = "cerebras-key", "a Cerebras API key", ExternalSecret;
    GROQ_KEY = "groq-key", "a Groq API key", ExternalSecret;
    HUGGING_FACE_TOKEN = "hugging-face-token", "a Hugging Face access token", ExternalSecret;
    LANGSMITH_KEY = "langsmith-key", "a LangSmith API key", ExternalSecret;
    NVIDIA_KEY = "nvidia-api-key", "an NVIDIA API key", ExternalSecret;
    OPENAI_KEY = "openai-key", "an OpenAI API key", ExternalSecret;
    OPENROUTER_KEY = "openrouter-key", "an OpenRouter API key", ExternalSecret;
    PERPLEXITY_KEY = "perplexity-key", "a Perplexity API key", ExternalSecret;
    REPLICATE_TOKEN = "replicate-token", "a Replicate API token", ExternalSecret;
    TOGETHER_KEY = "together-key", "a Together API key", ExternalSecret;
    XAI_KEY = "xai-key", "an xAI API key", ExternalSecret;
}

shapes! {
    // Base64 of "OpenAI", in the middle of the key.
    "T3BlbkFJ" => shape(OPENAI_KEY, &[Run(BASE64URL, 20, 156)]).before(BASE64URL, 23, 180).check(openai);
    "sk-ant-" => shape(ANTHROPIC_KEY, &[Run(LETTER, 3, 8), Run(DIGIT, 2, 2), Is("-"), Run(BASE64URL, 80, 130)]);
    "hf_" => shape(HUGGING_FACE_TOKEN, &[Run(BASE62, 34, 34)]);
    "api_org_" => shape(HUGGING_FACE_TOKEN, &[Run(BASE62, 34, 34)]);
    "gsk_" => shape(GROQ_KEY, &[Run(BASE62, 52, 52)]);
    "xai-" => shape(XAI_KEY, &[Run(BASE62, 80, 80)]);
    "nvapi-" => shape(NVIDIA_KEY, &[Run(BASE64URL, 60, 70)]);
    "sk-or-v1-" => shape(OPENROUTER_KEY, &[Run(HEX, 64, 64)]);
    "pplx-" => shape(PERPLEXITY_KEY, &[Run(BASE62, 48, 48)]);
    "r8_" => shape(REPLICATE_TOKEN, &[Run(BASE62, 37, 37)]);
    "tgp_v1_" => shape(TOGETHER_KEY, &[Run(BASE64URL, 43, 43)]);
    "csk-" => shape(CEREBRAS_KEY, &[Run(LOWER_DIGIT, 48, 48)]).check(letters_and_digits);
    "lsv2_pt_" => shape(LANGSMITH_KEY, &[Run(HEX, 32, 32), Is("_"), Run(HEX, 10, 10)]);
    "lsv2_sk_" => shape(LANGSMITH_KEY, &[Run(HEX, 32, 32), Is("_"), Run(HEX, 10, 10)]);
}

fn openai(candidate: &Candidate<'_>) -> Verdict {
    if candidate.token.starts_with("sk-") {
        Verdict::Shaped
    } else {
        Verdict::No
    }
}
