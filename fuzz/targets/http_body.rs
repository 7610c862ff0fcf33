//! What HTTP brings from strangers: credentials, forms, a REST answer's JSON as our client reads it.
#![no_main]

use embudo_wire::{authorization::Credentials, multipart};

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (what, bytes) = input;
    match what % 3 {
        0 => {
            if let Ok(credentials) = Credentials::from_header(&String::from_utf8_lossy(bytes)) {
                // Names may be longer than a token holds, and end in zeros, which it takes for its own.
                let again = credentials.token().and_then(|token| Credentials::from_token(&token));
                assert!(again.is_none_or(|again| credentials.user.trim_end_matches('\0') == again.user));
            }
        }
        1 => {
            let _ = multipart::part("multipart/form-data; boundary=x", bytes, "data");
        }
        _ => {
            let Ok(result) = embudo_client::fuzzing::read_rest_answer(bytes.to_vec()) else { return };
            let _ = result.collect();
        }
    }
});
