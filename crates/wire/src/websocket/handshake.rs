//! The upgrade: keys, and whether messages are compressed.

use base64::Engine as _;
use sha1::{Digest, Sha1};

/// What RFC 6455 appends to a key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `Sec-WebSocket-Key` from sixteen bytes that should be random.
pub fn request_key(random: [u8; 16]) -> String {
    base64::engine::general_purpose::STANDARD.encode(random)
}

/// `Sec-WebSocket-Accept` of a key.
///
/// ```
/// // RFC 6455, section 1.3.
/// assert_eq!(embudo_wire::websocket::accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha1::digest(format!("{}{GUID}", key.trim()).as_bytes()))
}

/// What is said about compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension;

impl Extension {
    /// `Sec-WebSocket-Extensions` of a request that offers compression and of an answer that grants it.
    pub const HEADER: &'static str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
}

/// Whether a `Sec-WebSocket-Extensions` value offers (or grants) compression that we speak: any permessage-deflate offer but one that
/// limits the server's window, which our compressor cannot follow.
pub fn negotiate(extensions: &str) -> bool {
    extensions.split(',').any(|offer| {
        let mut words = offer.split(';').map(str::trim);
        words.next().is_some_and(|name| name.eq_ignore_ascii_case("permessage-deflate")) && words.all(is_known)
    })
}

fn is_known(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').map_or((parameter, None), |(name, value)| (name.trim(), Some(value.trim().trim_matches('"'))));
    match name.to_ascii_lowercase().as_str() {
        "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
        "client_max_window_bits" => true,
        "server_max_window_bits" => value == Some("15"),
        _ => false,
    }
}
