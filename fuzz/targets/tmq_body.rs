//! Any bytes are a message of a subscription, raw or in its frame, or an error; events that are read are written again to the same events.
#![no_main]

use embudo_wire::tmq::{RawMessage, body, decode_message, frame, meta_json, meta_raw};

libfuzzer_sys::fuzz_target!(|input: (u8, u16, &[u8])| {
    let (what, raw_type, bytes) = input;
    match what % 5 {
        0 => drop(decode_message(RawMessage { raw_type, body: bytes })),
        1 => drop(body::decode(bytes, raw_type % 2 == 0)),
        2 => {
            let _ = frame::read_fetch_raw_data(bytes);
            let _ = frame::read_raw(bytes).map(|raw| decode_message(raw).is_ok());
        }
        3 => {
            if let Ok(events) = meta_raw::decode(bytes) {
                let mut again = Vec::new();
                meta_raw::encode(&events, &mut again);
                assert_eq!(meta_raw::decode(&again).expect("what was just encoded"), events);
            }
        }
        _ => {
            let Ok(json) = serde_json::from_slice(bytes) else { return };
            let Ok(events) = meta_json::decode(&json) else { return };
            let _ = meta_json::encode(&events, true);
        }
    }
});
