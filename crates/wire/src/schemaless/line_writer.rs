//! Writing InfluxDB lines, for sources that become points: what stands in names and values cannot break out of its place.

use std::fmt::Write;

use crate::number;

/// Lines that grow piece by piece: for each a measurement, then its tags, then its fields, then its time.
#[derive(Debug, Default)]
pub struct LineWriter {
    text: String,
    has_fields: bool,
}

impl LineWriter {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a line.
    pub fn measurement(&mut self, name: &str) -> &mut Self {
        self.has_fields = false;
        // A line that begins so is a comment.
        let name = match name.strip_prefix('#') {
            Some(rest) => {
                self.text.push('_');
                rest
            }
            None => name,
        };
        self.escaped(name, false);
        self
    }

    /// Begins a line with a measurement and tags that a writer wrote before.
    pub fn head(&mut self, written: &str) -> &mut Self {
        self.has_fields = false;
        self.text.push_str(written);
        self
    }

    /// A tag; one without a value is left out.
    pub fn tag(&mut self, name: &str, value: &str) -> &mut Self {
        if !value.is_empty() && !name.is_empty() {
            self.text.push(',');
            self.escaped(name, true);
            self.text.push('=');
            self.escaped(value, true);
        }
        self
    }

    /// A field of type DOUBLE.
    pub fn double(&mut self, name: &str, value: f64) -> &mut Self {
        self.field_name(name);
        let mut digits = Vec::new();
        number::write_double(value, &mut digits);
        self.text.push_str(&String::from_utf8_lossy(&digits));
        self
    }

    /// A field of type BIGINT.
    pub fn integer(&mut self, name: &str, value: i64) -> &mut Self {
        self.field_name(name);
        // Writing to a text cannot fail.
        let _ = write!(self.text, "{value}i");
        self
    }

    /// Ends the line with its time.
    pub fn end(&mut self, nanoseconds: i64) {
        let _ = writeln!(self.text, " {nanoseconds}");
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The lines.
    pub fn finish(self) -> String {
        self.text
    }

    fn field_name(&mut self, name: &str) {
        self.text.push(if self.has_fields { ',' } else { ' ' });
        self.has_fields = true;
        self.escaped(name, true);
        self.text.push('=');
    }

    /// Backslashes and control characters have no form that every reader understands; they become underscores.
    fn escaped(&mut self, text: &str, with_equals: bool) {
        for letter in text.chars() {
            match letter {
                ',' | ' ' => self.text.extend(['\\', letter]),
                '=' if with_equals => self.text.extend(['\\', letter]),
                '\\' => self.text.push('_'),
                letter if letter.is_control() => self.text.push('_'),
                letter => self.text.push(letter),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schemaless::{TimeUnit, parse_influx};

    proptest! {
        #[test]
        fn what_is_written_is_read(name in "[^\\\\\\p{C}#. \"][^\\\\\\p{C}]{0,20}", tag in "[^\\\\\\p{C} ][^\\\\\\p{C}]{0,20}", value in any::<f64>(), count in any::<i64>(), time in 1_i64..i64::MAX) {
            prop_assume!(value.is_finite());
            let mut writer = LineWriter::new();
            writer.measurement(&name).tag("a b=c,d", &tag).double("v", value).integer("n", count).end(time);
            let text = writer.finish();
            let mut seen = Vec::new();
            parse_influx(&text, TimeUnit::Nano, &mut |point| {
                seen.push((point.tags.clone(), point.fields.clone(), point.time));
                Ok(())
            }).unwrap();
            prop_assert_eq!(seen.len(), 1);
            prop_assert_eq!(seen[0].0.len(), 1);
            prop_assert_eq!(seen[0].1.len(), 2);
            prop_assert_eq!(seen[0].2.map(|(time, _)| time), Some(time));
        }
    }

    #[test]
    fn lines_look_like_lines() {
        let mut writer = LineWriter::new();
        writer.measurement("cpu value").tag("host", "a,b").tag("empty", "").double("value", 0.5).integer("n", -3).end(7);
        writer.measurement("m\n\\").double("v", 1e300).end(8);
        writer.measurement("#m#").double("v", 1.0).end(9);
        assert_eq!(writer.finish(), "cpu\\ value,host=a\\,b value=0.5,n=-3i 7\nm__ v=1e+300 8\n_m# v=1 9\n");
    }
}
