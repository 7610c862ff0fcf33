use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

fn through(role: Role, deflates: bool, messages: &[Message], cut: usize) -> Result<Vec<Message>, Violation> {
    let other = if role == Role::Client { Role::Server } else { Role::Client };
    let (mut encoder, mut bytes) = (Encoder::new(role, deflates, 42), Vec::new());
    for message in messages {
        encoder.encode(message, &mut bytes);
    }
    let (mut decoder, mut out) = (Decoder::new(other, deflates, LIMIT), Vec::new());
    for chunk in bytes.chunks(cut.max(1)) {
        decoder.feed(chunk);
        while let Some(message) = decoder.next()? {
            out.push(message);
        }
    }
    Ok(out)
}

fn message() -> impl Strategy<Value = Message> {
    let short = || proptest::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        ".{0,400}".prop_map(Message::Text),
        (any::<u8>(), 0_usize..70_000).prop_map(|(byte, count)| Message::Binary(vec![byte; count])),
        proptest::collection::vec(any::<u8>(), 0..2000).prop_map(Message::Binary),
        short().prop_map(Message::Ping),
        short().prop_map(Message::Pong),
        Just(Message::Close(None)),
        ".{0,20}".prop_map(|reason| Message::Close(Some((1000, reason)))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_come_through(messages in proptest::collection::vec(message(), 0..5), client: bool, deflates: bool, cut in 1_usize..5000) {
        let role = if client { Role::Client } else { Role::Server };
        prop_assert_eq!(through(role, deflates, &messages, cut).unwrap(), messages);
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes: Vec<u8>, server: bool) {
        let mut decoder = Decoder::new(if server { Role::Server } else { Role::Client }, true, 4096);
        decoder.feed(&bytes);
        while let Ok(Some(_)) = decoder.next() {}
    }
}

fn server_reads(frames: &[(u8, &[u8])], deflates: bool) -> Result<Vec<Message>, Violation> {
    let (mut decoder, mut out) = (Decoder::new(Role::Server, deflates, LIMIT), Vec::new());
    for (first, payload) in frames {
        let mut bytes = vec![*first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        bytes.extend_from_slice(payload);
        decoder.feed(&bytes);
        while let Some(message) = decoder.next()? {
            out.push(message);
        }
    }
    Ok(out)
}

#[test]
fn fragments_join_around_control_frames() {
    let messages = server_reads(&[(0x01, b"he"), (0x89, b"p"), (0x80, b"llo")], false).unwrap();
    assert_eq!(messages, [Message::Ping(b"p".to_vec()), Message::Text("hello".into())]);
}

#[test]
fn broken_frames_are_refused_with_their_code() {
    for (frames, code) in [
        (vec![(0x80, &b"x"[..])], 1002),
        (vec![(0x01, b"a"), (0x01, b"b")], 1002),
        (vec![(0x09, b"ping in pieces")], 1002),
        (vec![(0x83, b"")], 1002),
        (vec![(0xa1, b"")], 1002),
        (vec![(0xc1, b"compressed")], 1002),
        (vec![(0x81, &[0xff, 0xfe])], 1007),
        (vec![(0x88, &[0x03])], 1002),
        (vec![(0x88, &[0x03, 0xed])], 1002),
    ] {
        assert_eq!(server_reads(&frames, false).unwrap_err().code, code, "{frames:?}");
    }
    let mut decoder = Decoder::new(Role::Server, false, LIMIT);
    decoder.feed(&[0x81, 0x01, b'x']);
    assert_eq!(decoder.next().unwrap_err().code, 1002, "a client must mask");
}

#[test]
fn large_messages_and_bombs_are_refused() {
    let mut decoder = Decoder::new(Role::Server, true, 1000);
    decoder.feed(&[0x82, 0xfe, 0x10, 0x00, 0, 0, 0, 0]);
    assert_eq!(decoder.next().unwrap_err().code, 1009, "told before the payload is there");
    let mut bytes = Vec::new();
    Encoder::new(Role::Client, true, 1).encode(&Message::Binary(vec![0; 500_000]), &mut bytes);
    assert!(bytes.len() < 50_000);
    let mut decoder = Decoder::new(Role::Server, true, 100_000);
    decoder.feed(&bytes);
    assert_eq!(decoder.next().unwrap_err().code, 1009);
}

#[test]
fn compression_is_granted_where_it_can_be() {
    assert!(negotiate("permessage-deflate; client_max_window_bits"));
    assert!(negotiate("x-other, permessage-deflate; server_no_context_takeover; client_no_context_takeover"));
    assert!(negotiate("permessage-deflate; server_max_window_bits=10, permessage-deflate"));
    assert!(!negotiate("permessage-deflate; server_max_window_bits=10"));
    assert!(!negotiate(""));
}
