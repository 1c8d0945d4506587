//! HTTP towards others: Stripe's API, alarm addresses, a server that is replayed into.

/// The start of a client. TLS is rustls with ring, as sqlx has it; the first provider that is
/// installed in a process stays.
pub fn client() -> reqwest::ClientBuilder {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
}
