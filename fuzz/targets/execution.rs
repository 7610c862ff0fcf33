//! Messages of Embudo's own WebSocket actions: what can be read is written and read back the same.
#![no_main]

use embudo_wire::{
    binary_message::Head,
    execution::{Execution, execute_request, execution, read_reply},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_reply(bytes);
    if let Ok(Execution { sql, parameters }) = execution(bytes) {
        let again = execute_request(1, &sql, &parameters);
        let (_, body) = Head::parse(&again).expect("a whole message");
        let read = execution(body).expect("what was written");
        // NaN is not equal to itself.
        assert_eq!((&read.sql, read.parameters.len()), (&sql, parameters.len()));
        assert_eq!(execute_request(1, &read.sql, &read.parameters), again);
    }
});
