//! Any bytes, in any pieces, are messages or a violation, to either side, with and without compression, and no message is larger than the
//! limit; what a message begins with is taken apart. Messages that were read are written and read again.
#![no_main]

use std::sync::OnceLock;

use embudo_fuzz::Input;
use embudo_wire::{
    binary_message,
    websocket::{Decoder, Encoder, Message, Role},
};

const LIMIT: usize = 1 << 20;

fn examples() -> &'static [Vec<u8>] {
    static EXAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let messages = [
            Message::Text("{\"action\":\"query\"}".repeat(30)),
            Message::Binary([&7_u64.to_le_bytes()[..], &[0; 8], &6_u64.to_le_bytes(), &[1, 0, 8, 0, 0, 0], b"select 1"].concat()),
            Message::Ping(b"TAOS".to_vec()),
            Message::Close(Some((1000, "bye".into()))),
        ];
        let mut examples = Vec::new();
        for (role, deflates) in [(Role::Client, false), (Role::Client, true), (Role::Server, false), (Role::Server, true)] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(role, deflates, 9);
            messages.iter().for_each(|message| encoder.encode(message, &mut bytes));
            examples.push(bytes);
        }
        examples
    })
}

libfuzzer_sys::fuzz_target!(|input: (Input<'_>, bool, bool, u8)| {
    let (input, at_server, deflates, pieces) = input;
    let bytes = input.bytes(examples());
    let (role, sender) = if at_server { (Role::Server, Role::Client) } else { (Role::Client, Role::Server) };
    let mut decoder = Decoder::new(role, deflates, LIMIT);
    for piece in bytes.chunks(usize::from(pieces).max(1)) {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                Ok(None) => break,
                Err(_) => return,
                Ok(Some(message)) => {
                    let size = match &message {
                        Message::Text(text) => text.len(),
                        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
                        Message::Close(_) => 0,
                    };
                    assert!(size <= LIMIT);
                    if let Message::Binary(bytes) = &message
                        && let Some((_, body)) = binary_message::Head::parse(bytes)
                    {
                        let _ = binary_message::sql(body);
                    }
                    let (mut again, mut back) = (Vec::new(), Decoder::new(role, deflates, LIMIT));
                    Encoder::new(sender, deflates, 3).encode(&message, &mut again);
                    back.feed(&again);
                    assert_eq!(back.next().expect("what was just encoded"), Some(message));
                }
            }
        }
    }
});
