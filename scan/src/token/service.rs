//! Tokens of services for messages, payment, planning and design.

use super::alphabet::{ANY_HEX, BASE62, BASE64, BASE64URL, DIGIT, HEX, LOWER_DIGIT, UPPER_DIGIT};
use super::payload;
use super::shape::Part::{Is, Padding, Run};
use super::shape::{Part, shape};
use super::table::{rules, shapes};
use super::verdict::{Candidate, Verdict};

rules! {
    ATLASSIAN_TOKEN = "atlassian-token", "an Atlassian API token", ExternalSecret;
    BREVO_KEY = "brevo-key", "a Brevo API key", ExternalSecret;
    CONTENTFUL_TOKEN = "contentful-token", "a Contentful management token", ExternalSecret;
    DISCORD_WEBHOOK = "discord-webhook", "a Discord webhook, which lets anybody write", ExternalSecret;
    FIGMA_TOKEN = "figma-token", "a Figma access token", ExternalSecret;
    LINEAR_KEY = "linear-key", "a Linear API key", ExternalSecret;
    MAXMIND_KEY = "maxmind-key", "a MaxMind licence key", ExternalSecret;
    NOTION_TOKEN = "notion-token", "a Notion integration token", ExternalSecret;
    POSTMAN_KEY = "postman-key", "a Postman API key", ExternalSecret;
    README_KEY = "readme-key", "a ReadMe API key", ExternalSecret;
    SENDGRID_KEY = "sendgrid-key", "a SendGrid API key", ExternalSecret;
    SENTRY_TOKEN = "sentry-token", "a Sentry auth token", ExternalSecret;
    SHOPIFY_TOKEN = "shopify-token", "a Shopify access token", ExternalSecret;
    SLACK_TOKEN = "slack-token", "a Slack token", ExternalSecret;
    SLACK_WEBHOOK = "slack-webhook", "a Slack webhook, which lets anybody write", ExternalSecret;
    SQUARE_TOKEN = "square-token", "a Square access token", ExternalSecret;
    STRIPE_KEY = "stripe-key", "a Stripe secret key", ExternalSecret;
    STRIPE_WEBHOOK_SECRET = "stripe-webhook-secret", "the signing secret of a webhook", ExternalSecret;
    TEAMS_WEBHOOK = "teams-webhook", "a Microsoft Teams webhook, which lets anybody write", ExternalSecret;
    TELEGRAM_TOKEN = "telegram-token", "the token of a Telegram bot", ExternalSecret;
}

shapes! {
    "xoxb-" => shape(SLACK_TOKEN, SLACK_BOT);
    "xoxp-" => shape(SLACK_TOKEN, SLACK_USER);
    "xoxa-" => shape(SLACK_TOKEN, SLACK_WORKSPACE);
    "xoxr-" => shape(SLACK_TOKEN, SLACK_WORKSPACE);
    "xoxs-" => shape(SLACK_TOKEN, SLACK_USER);
    "xoxo-" => shape(SLACK_TOKEN, SLACK_USER);
    "xoxc-" => shape(SLACK_TOKEN, SLACK_USER);
    "xoxd-" => shape(SLACK_TOKEN, &[Run(BASE64.and("-_"), 100, 400), Padding]);
    "xapp-" => shape(SLACK_TOKEN, SLACK_APP);
    "xoxe-" => shape(SLACK_TOKEN, &[Run(DIGIT, 1, 1), Is("-"), Run(BASE62, 140, 180)]);
    "xoxe." => shape(SLACK_TOKEN, &[Is("xoxp-"), Run(DIGIT, 1, 1), Is("-"), Run(BASE62, 140, 180)]),
        shape(SLACK_TOKEN, &[Is("xoxb-"), Run(DIGIT, 1, 1), Is("-"), Run(BASE62, 140, 180)]);
    "hooks.slack.com/services/" => shape(SLACK_WEBHOOK, SLACK_SERVICE);
    "hooks.slack.com/workflows/" => shape(SLACK_WEBHOOK, SLACK_WORKFLOW);
    "hooks.slack.com/triggers/" => shape(SLACK_WEBHOOK, SLACK_TRIGGER);

    "sk_live_" => shape(STRIPE_KEY, &[Run(BASE62, 24, 247)]);
    "rk_live_" => shape(STRIPE_KEY, &[Run(BASE62, 24, 247)]);
    "sk_test_" => shape(STRIPE_KEY, &[Run(BASE62, 24, 247)]).for_tests();
    "rk_test_" => shape(STRIPE_KEY, &[Run(BASE62, 24, 247)]).for_tests();
    "whsec_" => shape(STRIPE_WEBHOOK_SECRET, &[Run(BASE64, 32, 64), Padding]);
    "sq0atp-" => shape(SQUARE_TOKEN, &[Run(BASE64URL, 22, 22)]);
    "sq0csp-" => shape(SQUARE_TOKEN, &[Run(BASE64URL, 43, 43)]);
    "shpat_" => shape(SHOPIFY_TOKEN, &[Run(ANY_HEX, 32, 32)]);
    "shpca_" => shape(SHOPIFY_TOKEN, &[Run(ANY_HEX, 32, 32)]);
    "shppa_" => shape(SHOPIFY_TOKEN, &[Run(ANY_HEX, 32, 32)]);
    "shpss_" => shape(SHOPIFY_TOKEN, &[Run(ANY_HEX, 32, 32)]);

    "SG." => shape(SENDGRID_KEY, &[Run(BASE64URL, 22, 22), Is("."), Run(BASE64URL, 43, 43)]);
    "xkeysib-" => shape(BREVO_KEY, &[Run(HEX, 64, 64), Is("-"), Run(BASE62, 16, 16)]);
    // A bot's number stands before it. So far every key begins with "AA".
    ":AA" => shape(TELEGRAM_TOKEN, &[Run(BASE64URL, 33, 33)]).before(DIGIT, 8, 10);
    "discord.com/api/webhooks/" => shape(DISCORD_WEBHOOK, DISCORD);
    "discordapp.com/api/webhooks/" => shape(DISCORD_WEBHOOK, DISCORD);
    ".webhook.office.com/webhookb2/" => shape(TEAMS_WEBHOOK, TEAMS).before(LOWER_DIGIT.and("-"), 1, 63);

    "ATATT3" => shape(ATLASSIAN_TOKEN, &[Run(BASE64URL.and("="), 150, 250)]);
    "ATCTT3" => shape(ATLASSIAN_TOKEN, &[Run(BASE64URL.and("="), 150, 250)]);
    "sntrys_" =>
        shape(SENTRY_TOKEN, &[Run(BASE64, 40, 600), Padding, Is("_"), Run(BASE64, 43, 43)]).check(payload::sentry);
    "sntryu_" => shape(SENTRY_TOKEN, &[Run(HEX, 64, 64)]);
    "lin_api_" => shape(LINEAR_KEY, &[Run(BASE62, 40, 40)]);
    "lin_oauth_" => shape(LINEAR_KEY, &[Run(HEX, 64, 64)]);
    "ntn_" => shape(NOTION_TOKEN, &[Run(DIGIT, 11, 11), Run(BASE62, 35, 35)]);
    "figd_" => shape(FIGMA_TOKEN, &[Run(BASE64URL, 38, 42)]);
    "PMAK-" => shape(POSTMAN_KEY, &[Run(HEX, 24, 24), Is("-"), Run(HEX, 34, 34)]);
    "rdme_" => shape(README_KEY, &[Run(LOWER_DIGIT, 70, 70)]);
    "CFPAT-" => shape(CONTENTFUL_TOKEN, &[Run(BASE64URL, 43, 43)]);
    "_mmk" => shape(MAXMIND_KEY, &[]).before(BASE62.and("_"), 36, 36).check(maxmind);
}

const SLACK_APP: &[Part] = &[
    Run(DIGIT, 1, 1),
    Is("-"),
    Run(UPPER_DIGIT, 9, 14),
    Is("-"),
    Run(DIGIT, 10, 14),
    Is("-"),
    Run(LOWER_DIGIT, 40, 80),
];
const SLACK_SERVICE: &[Part] = &[
    Is("T"),
    Run(UPPER_DIGIT, 8, 12),
    Is("/B"),
    Run(UPPER_DIGIT, 8, 12),
    Is("/"),
    Run(BASE62, 23, 26),
];
const SLACK_BOT: &[Part] = &[Run(DIGIT, 8, 14), Is("-"), Run(BASE62.and("-"), 18, 50)];
const SLACK_USER: &[Part] = &[
    Run(DIGIT, 8, 15),
    Is("-"),
    Run(DIGIT, 8, 15),
    Is("-"),
    Run(DIGIT, 8, 15),
    Is("-"),
    Run(BASE62, 10, 64),
];
const SLACK_WORKSPACE: &[Part] = &[Run(DIGIT, 1, 14), Is("-"), Run(BASE62.and("-"), 20, 160)];
const SLACK_WORKFLOW: &[Part] = &[
    Is("T"),
    Run(UPPER_DIGIT, 8, 12),
    Is("/A"),
    Run(UPPER_DIGIT, 8, 12),
    Is("/"),
    Run(DIGIT, 15, 20),
    Is("/"),
    Run(BASE62, 20, 30),
];
const SLACK_TRIGGER: &[Part] = &[
    Is("T"),
    Run(UPPER_DIGIT, 8, 12),
    Is("/"),
    Run(DIGIT, 10, 16),
    Is("/"),
    Run(HEX, 32, 32),
];
const DISCORD: &[Part] = &[Run(DIGIT, 17, 20), Is("/"), Run(BASE64URL, 60, 80)];
const TEAMS: &[Part] = &[
    Run(HEX.and("-"), 36, 36),
    Is("@"),
    Run(HEX.and("-"), 36, 36),
    Is("/IncomingWebhook/"),
    Run(HEX, 32, 32),
    Is("/"),
    Run(HEX.and("-"), 36, 36),
];

/// Six characters, and 29 behind an underscore.
fn maxmind(candidate: &Candidate<'_>) -> Verdict {
    let underscores = candidate.token.bytes().filter(|byte| *byte == b'_').count();
    if candidate.token.as_bytes().get(6) == Some(&b'_') && underscores == 2 {
        Verdict::Shaped
    } else {
        Verdict::No
    }
}
