//! Doors for fuzz targets, with the feature `fuzzing` only.

use embudo_types::{Result, ResultSet};

/// Reads a REST answer's body.
pub fn read_rest_answer(body: Vec<u8>) -> Result<ResultSet> {
    crate::rest::read_answer(std::io::Cursor::new(body))
}
