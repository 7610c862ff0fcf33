//! GEOMETRY values as the texts (WKT) that literals of them are: transports without parameters carry no other form.

use std::fmt::Write;

/// Appends the text of well-known bytes; `None`, with nothing appended, where they are none.
pub fn write_text(bytes: &[u8], out: &mut String) -> Option<()> {
    let mut text = String::new();
    let mut reader = Reader { bytes, little: true };
    reader.shape(&mut text, true)?;
    reader.bytes.is_empty().then(|| out.push_str(&text))
}

const NAMES: [&str; 7] = ["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"];

struct Reader<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*head)
    }

    fn count(&mut self) -> Option<u32> {
        let bytes = self.take::<4>()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn number(&mut self, out: &mut String) -> Option<()> {
        let bytes = self.take::<8>()?;
        let value = if self.little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) };
        write!(out, "{value}").ok()
    }

    /// A shape with its head; `named` where its kind is written.
    fn shape(&mut self, out: &mut String, named: bool) -> Option<()> {
        self.little = self.take::<1>()?[0] == 1;
        let kind = self.count()?;
        // An identifier of the coordinate system may stand in front; further dimensions have no text here.
        let has_system = kind & 0x2000_0000 != 0;
        let kind = kind & !0x2000_0000;
        let name = NAMES.get(usize::try_from(kind).ok()?.checked_sub(1)?)?;
        if has_system {
            self.count()?;
        }
        if named {
            out.extend([*name, " "]);
        }
        match kind {
            1 => {
                out.push('(');
                self.position(out)?;
                out.push(')');
                Some(())
            }
            2 => self.line(out),
            3 => self.list(out, Self::line),
            4..=6 => self.list(out, |reader, out| reader.shape(out, false)),
            _ => self.list(out, |reader, out| reader.shape(out, true)),
        }
    }

    fn position(&mut self, out: &mut String) -> Option<()> {
        self.number(out)?;
        out.push(' ');
        self.number(out)
    }

    fn line(&mut self, out: &mut String) -> Option<()> {
        self.list(out, Self::position)
    }

    fn list(&mut self, out: &mut String, item: impl Fn(&mut Self, &mut String) -> Option<()>) -> Option<()> {
        let count = self.count()?;
        if count == 0 {
            out.push_str("EMPTY");
            return Some(());
        }
        for at in 0..count {
            out.push_str(if at == 0 { "(" } else { "," });
            item(self, out)?;
        }
        out.push(')');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(hex: &str) -> Option<String> {
        let bytes: Vec<u8> = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        let mut out = String::new();
        write_text(&bytes, &mut out).map(|()| out)
    }

    #[test]
    fn shapes() {
        assert_eq!(text("0101000000000000000000f03f0000000000000040").as_deref(), Some("POINT (1 2)"));
        assert_eq!(text("00000000013ff00000000000004000000000000000").as_deref(), Some("POINT (1 2)"));
        let line = "010200000002000000000000000000f03f000000000000004000000000000008c00000000000001040";
        assert_eq!(text(line).as_deref(), Some("LINESTRING (1 2,-3 4)"));
        let multi = "0104000000010000000101000000000000000000f03f0000000000000040";
        assert_eq!(text(multi).as_deref(), Some("MULTIPOINT ((1 2))"));
        assert_eq!(text("010300000000000000").as_deref(), Some("POLYGON EMPTY"));
    }

    #[test]
    fn what_is_no_shape() {
        for hex in ["", "01", "0109000000", "0101000000000000000000f03f", "0101000000000000000000f03f000000000000004000", "0102000000ffffffff"] {
            assert_eq!(text(hex), None, "{hex}");
        }
    }
}
