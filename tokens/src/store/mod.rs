//! What must be remembered: what was used once, refresh tokens, handles and revocations.
