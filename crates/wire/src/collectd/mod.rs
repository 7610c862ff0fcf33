//! collectd's binary network protocol: datagrams of parts, each a type, a length and a payload. Parts say where a measurement comes from until
//! another part of their kind says otherwise; a part of values is a measurement. Parts of unknown kinds are passed over by their length.
//!
//! Signatures are passed over, not checked: whoever reaches the port may write. Encrypted parts cannot be read.

mod types;

use embudo_types::{Error, Result, code};

use crate::schemaless::LineWriter;
pub use types::TypeSet;

/// What a part is, in its first two bytes.
mod part {
    pub const HOST: u16 = 0x0000;
    pub const TIME: u16 = 0x0001;
    pub const PLUGIN: u16 = 0x0002;
    pub const PLUGIN_INSTANCE: u16 = 0x0003;
    pub const TYPE: u16 = 0x0004;
    pub const TYPE_INSTANCE: u16 = 0x0005;
    pub const VALUES: u16 = 0x0006;
    pub const TIME_FINE: u16 = 0x0008;
    pub const ENCRYPTED: u16 = 0x0210;
}

/// What a value is.
mod source {
    pub const COUNTER: u8 = 0;
    pub const GAUGE: u8 = 1;
    pub const DERIVE: u8 = 2;
    pub const ABSOLUTE: u8 = 3;
}

/// Type and length of a part.
const HEADER: usize = 4;
/// A second in the fine times.
const FINE_SECOND: u32 = 30;

/// Values of one source at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueList<'a> {
    /// The machine.
    pub host: &'a str,
    /// What measured: `cpu`, `interface` …
    pub plugin: &'a str,
    /// Which of them: `0`, `eth0` …
    pub plugin_instance: &'a str,
    /// The type of the values, which names them.
    pub kind: &'a str,
    /// Which of the type's.
    pub type_instance: &'a str,
    /// Nanoseconds since 1970; 0 where no part told.
    pub time: i64,
    /// The values, counters as their present state.
    pub values: Vec<f64>,
}

/// Calls `each` with every list of values of a datagram. The first broken part ends the work with an error; lists before it were given.
pub fn parse<'a>(datagram: &'a [u8], each: &mut dyn FnMut(&ValueList<'a>)) -> Result<()> {
    let mut list = ValueList::default();
    let mut rest = datagram;
    while !rest.is_empty() {
        let (kind, payload, after) = split_part(rest)?;
        rest = after;
        match kind {
            part::HOST => list.host = text(payload)?,
            part::PLUGIN => (list.plugin, list.plugin_instance) = (text(payload)?, ""),
            part::PLUGIN_INSTANCE => list.plugin_instance = text(payload)?,
            part::TYPE => (list.kind, list.type_instance) = (text(payload)?, ""),
            part::TYPE_INSTANCE => list.type_instance = text(payload)?,
            part::TIME => list.time = i64::try_from(u128::from(number(payload)?) * 1_000_000_000).unwrap_or(i64::MAX),
            part::TIME_FINE => list.time = i64::try_from((u128::from(number(payload)?) * 1_000_000_000) >> FINE_SECOND).unwrap_or(i64::MAX),
            part::VALUES => {
                read_values(payload, &mut list.values)?;
                each(&list);
            }
            part::ENCRYPTED => return Err(broken("it is encrypted")),
            _ => {}
        }
    }
    Ok(())
}

/// The first part: its kind, its payload, and what follows.
fn split_part(bytes: &[u8]) -> Result<(u16, &[u8], &[u8])> {
    let [kind_high, kind_low, length_high, length_low, ..] = bytes else { return Err(broken("a part breaks off in its header")) };
    let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
    if length < HEADER || length > bytes.len() {
        return Err(broken("a part's length does not fit"));
    }
    Ok((u16::from_be_bytes([*kind_high, *kind_low]), &bytes[HEADER..length], &bytes[length..]))
}

/// A text, which ends in a NUL byte.
fn text(payload: &[u8]) -> Result<&str> {
    let text = payload.strip_suffix(&[0]).ok_or_else(|| broken("a text has no end"))?;
    std::str::from_utf8(text).ok().filter(|text| !text.contains('\0')).ok_or_else(|| broken("a text is no UTF-8"))
}

fn number(payload: &[u8]) -> Result<u64> {
    payload.try_into().map(u64::from_be_bytes).map_err(|_| broken("a number has not 8 bytes"))
}

/// A count, that many kinds of one byte, that many values of eight bytes.
fn read_values(payload: &[u8], values: &mut Vec<f64>) -> Result<()> {
    let [high, low, rest @ ..] = payload else { return Err(broken("values break off")) };
    let count = usize::from(u16::from_be_bytes([*high, *low]));
    if rest.len() != 9 * count {
        return Err(broken("values are not as many as their count"));
    }
    let (kinds, numbers) = rest.split_at(count);
    values.clear();
    for (kind, bytes) in kinds.iter().zip(numbers.as_chunks::<8>().0) {
        values.push(match *kind {
            source::COUNTER | source::ABSOLUTE => u64::from_be_bytes(*bytes) as f64,
            source::DERIVE => i64::from_be_bytes(*bytes) as f64,
            // Gauges alone are little-endian.
            source::GAUGE => f64::from_le_bytes(*bytes),
            _ => return Err(broken("a value of unknown kind")),
        });
    }
    Ok(())
}

fn broken(what: &str) -> Error {
    Error::with(code::INVALID_MESSAGE, format!("collectd datagram: {what}"))
}

/// Writes the values as points, each value a line of its own: supertable `{plugin}_{value's name}`, the source as tags. Values that are no
/// numbers are left out.
pub fn write_lines(list: &ValueList<'_>, types: &TypeSet, now: i64, lines: &mut LineWriter) {
    for (at, value) in list.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let measurement = format!("{}_{}", list.plugin, types.name(list.kind, at, list.values.len()));
        lines.measurement(&measurement);
        for (name, tag) in [("host", list.host), ("instance", list.plugin_instance), ("type", list.kind), ("type_instance", list.type_instance)] {
            lines.tag(name, tag);
        }
        lines.double("value", *value).end(if list.time > 0 { list.time } else { now });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend((payload.len() as u16 + 4).to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn text_part(kind: u16, text: &str) -> Vec<u8> {
        part(kind, &[text.as_bytes(), &[0]].concat())
    }

    fn values_part(values: &[(u8, [u8; 8])]) -> Vec<u8> {
        let mut payload = (values.len() as u16).to_be_bytes().to_vec();
        payload.extend(values.iter().map(|(kind, _)| kind));
        payload.extend(values.iter().flat_map(|(_, bytes)| bytes));
        part(part::VALUES, &payload)
    }

    fn lines(datagram: &[u8]) -> Result<String> {
        let mut lines = LineWriter::new();
        parse(datagram, &mut |list| write_lines(list, &TypeSet::standard(), 5, &mut lines))?;
        Ok(lines.finish())
    }

    #[test]
    fn parts_hold_until_others_come() {
        let datagram = [
            text_part(part::HOST, "edge 1"),
            part(part::TIME_FINE, &(1_700_000_000_u64 << 30 | 1 << 29).to_be_bytes()),
            part(0x0009, &[0; 8]),
            text_part(part::PLUGIN, "cpu"),
            text_part(part::PLUGIN_INSTANCE, "0"),
            text_part(part::TYPE, "cpu"),
            text_part(part::TYPE_INSTANCE, "user"),
            values_part(&[(source::DERIVE, 42_i64.to_be_bytes())]),
            text_part(part::TYPE_INSTANCE, "idle"),
            values_part(&[(source::DERIVE, (-1_i64).to_be_bytes())]),
            text_part(part::PLUGIN, "load"),
            text_part(part::TYPE, "load"),
            values_part(&[(source::GAUGE, 0.5_f64.to_le_bytes()), (source::GAUGE, f64::NAN.to_le_bytes()), (source::GAUGE, 2.0_f64.to_le_bytes())]),
            part(part::TIME, &1_700_000_001_u64.to_be_bytes()),
            text_part(part::PLUGIN, "interface"),
            text_part(part::PLUGIN_INSTANCE, "eth0"),
            text_part(part::TYPE, "if_octets"),
            values_part(&[(source::COUNTER, 1_u64.to_be_bytes()), (source::ABSOLUTE, 2_u64.to_be_bytes())]),
        ];
        let expected = "\
cpu_value,host=edge\\ 1,instance=0,type=cpu,type_instance=user value=42 1700000000500000000
cpu_value,host=edge\\ 1,instance=0,type=cpu,type_instance=idle value=-1 1700000000500000000
load_shortterm,host=edge\\ 1,type=load value=0.5 1700000000500000000
load_longterm,host=edge\\ 1,type=load value=2 1700000000500000000
interface_rx,host=edge\\ 1,instance=eth0,type=if_octets value=1 1700000001000000000
interface_tx,host=edge\\ 1,instance=eth0,type=if_octets value=2 1700000001000000000
";
        assert_eq!(lines(&datagram.concat()).unwrap(), expected);
        assert_eq!(lines(&values_part(&[(source::GAUGE, 1.0_f64.to_le_bytes())])).unwrap(), "_value value=1 5\n");
    }

    #[test]
    fn broken_parts_are_errors() {
        for datagram in [
            vec![0],
            vec![0, 0, 0, 3],
            vec![0, 0, 0, 9, b'x', 0],
            part(part::HOST, b"no end"),
            part(part::HOST, b"\xff\0"),
            part(part::TIME, &[0; 7]),
            part(part::VALUES, &[0, 2, 1, 1]),
            values_part(&[(9, [0; 8])]),
            part(part::ENCRYPTED, &[0; 40]),
        ] {
            assert!(lines(&datagram).is_err(), "{datagram:?}");
        }
        assert_eq!(lines(&[]).unwrap(), "");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = lines(&bytes);
        }

        #[test]
        fn values_are_read_as_they_were_written(values in proptest::collection::vec((0_u8..4, any::<u64>()), 0..20)) {
            let written: Vec<(u8, [u8; 8])> = values.iter().map(|(kind, bits)| (*kind, bits.to_be_bytes())).collect();
            let mut seen = Vec::new();
            parse(&values_part(&written), &mut |list| seen.push(list.values.clone())).unwrap();
            let expected: Vec<u64> = values.iter().map(|(kind, bits)| match *kind {
                source::GAUGE => f64::from_le_bytes(bits.to_be_bytes()),
                source::DERIVE => *bits as i64 as f64,
                _ => *bits as f64,
            }.to_bits()).collect();
            prop_assert_eq!(seen.len(), 1);
            prop_assert_eq!(seen[0].iter().map(|value| value.to_bits()).collect::<Vec<_>>(), expected);
        }
    }
}
