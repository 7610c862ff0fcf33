//! Any bytes are a body of Prometheus's remote storage or an error, compressed or not; series of those have names.
#![no_main]

use embudo_wire::prometheus::{ReadRequest, WriteRequest, decode, encode};

libfuzzer_sys::fuzz_target!(|input: (bool, &[u8])| {
    let (compresses, bytes) = input;
    let body = if compresses { snap::raw::Encoder::new().compress_vec(bytes).expect("few bytes") } else { bytes.to_vec() };
    if let Ok(request) = decode::<WriteRequest>(&body, 1 << 20) {
        for series in &request.timeseries {
            assert!(series.child_name().len() <= 192);
            serde_json::from_str::<serde_json::Value>(&series.labels_json()).expect("labels are JSON");
        }
        decode::<WriteRequest>(&encode(&request).expect("few series"), 16 << 20).expect("what was just encoded");
    }
    let _ = decode::<ReadRequest>(&body, 1 << 20);
});
