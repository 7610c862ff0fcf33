//! Size and speed of column chunks: `cargo bench -p embudo-codec`. Bits a value, and values per second of the best of some rounds, for
//! flush (fast) and compaction (small).
#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a benchmark measures wall time and stops at the first fault")]

use std::{hint::black_box, sync::Arc, time::Instant};

use arrow_array::{Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, StringArray};
use embudo_codec::{Codec, decode, encode, encode_small};

const ROWS: usize = 4096;

/// Uniform numbers in 0..1 (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A walk between 0 and 100 with steps of standard deviation 1, as TSBS makes them.
    fn walk(&mut self) -> Vec<f64> {
        let mut value = 50.0;
        let mut step = || {
            value = f64::clamp(value + (0..12).map(|_| self.next()).sum::<f64>() - 6.0, 0.0, 100.0);
            value
        };
        (0..ROWS).map(|_| step()).collect()
    }
}

fn columns() -> Vec<(&'static str, ArrayRef)> {
    let mut random = Random(88_172_645_463_325_252);
    let (first, second) = (random.walk(), random.walk());
    let times = |jitter: &mut dyn FnMut() -> i64| (0..ROWS as i64).map(|row| 1_700_000_000_000 + row * 10_000 + jitter()).collect::<Vec<_>>();
    vec![
        ("time, every 10 s", Arc::new(Int64Array::from(times(&mut || 0)))),
        ("time, 10 ms jitter", Arc::new(Int64Array::from(times(&mut || (random.next() * 21.0) as i64)))),
        ("walk, i64", Arc::new(first.iter().map(|value| Some(*value as i64)).collect::<Int64Array>())),
        ("walk, i32", Arc::new(first.iter().map(|value| Some(*value as i32)).collect::<Int32Array>())),
        ("walk, i8", Arc::new(first.iter().map(|value| Some(*value as i8)).collect::<Int8Array>())),
        ("walk, a tenth NULL", Arc::new(first.iter().enumerate().map(|(row, value)| (row % 10 != 3).then_some(*value as i64)).collect::<Int64Array>())),
        ("any i64", Arc::new((0..ROWS).map(|_| Some((random.next() * 1e18) as i64)).collect::<Int64Array>())),
        ("walk, whole f64", Arc::new(first.iter().map(|value| Some(value.trunc())).collect::<Float64Array>())),
        ("gauge, 2 decimals", Arc::new(second.iter().map(|value| Some((value * 100.0).round() / 100.0)).collect::<Float64Array>())),
        ("gauge, f32", Arc::new(second.iter().map(|value| Some(((value * 10.0).round() / 10.0) as f32)).collect::<Float32Array>())),
        ("walk, full f64", Arc::new(Float64Array::from(second))),
        ("any bool", Arc::new((0..ROWS).map(|_| Some(random.next() < 0.5)).collect::<BooleanArray>())),
        ("12 states", Arc::new((0..ROWS).map(|_| Some(format!("state {}", (random.next() * 12.0) as u8))).collect::<StringArray>())),
        ("distinct texts", Arc::new((0..ROWS).map(|row| Some(format!("measurement {row:06}"))).collect::<StringArray>())),
    ]
}

/// Million values a second of the best of some rounds.
fn speed(rounds: usize, mut run: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    ROWS as f64 / (0..rounds).map(round).fold(f64::MAX, f64::min) / 1e6
}

fn measure(array: &dyn Array, rounds: usize, make: impl Fn(&mut Vec<u8>) -> Codec) -> String {
    let mut bytes = Vec::new();
    let codec = make(&mut bytes);
    let encoding = speed(rounds, || {
        let mut bytes = Vec::with_capacity(2 * ROWS);
        make(&mut bytes);
        black_box(bytes);
    });
    let decoding = speed(rounds, || {
        black_box(decode(codec.id(), array.data_type(), ROWS, black_box(&bytes)).expect("what was just encoded"));
    });
    format!("{:6.2} bits {encoding:5.0} / {decoding:5.0} M/s {codec:?}", bytes.len() as f64 * 8.0 / ROWS as f64)
}

fn main() {
    println!("{:20} {:40} small, encode / decode", "", "fast, encode / decode");
    for (name, array) in columns() {
        let fast = measure(array.as_ref(), 500, |bytes| encode(array.as_ref(), None, bytes).expect("a column"));
        let small = measure(array.as_ref(), 30, |bytes| encode_small(array.as_ref(), None, bytes).expect("a column"));
        println!("{name:20} {fast:40} {small}");
    }
}
