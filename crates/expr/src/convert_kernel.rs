//! Conversion as a node of an expression.

use arrow_array::ArrayRef;
use embudo_types::{Error, Result, Zone};

use crate::BoundExpr;
use crate::bound::Kernel;
use crate::convert::{BadTime, Conversion, Typed, convert};
use crate::datum::Datum;

/// CAST and the implicit conversions of operands.
pub(crate) struct Convert {
    pub(crate) from: Typed,
    pub(crate) to: Typed,
    pub(crate) zone: Zone,
    pub(crate) bad_time: BadTime,
}

impl Kernel for Convert {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let argument = arguments.first().ok_or_else(|| Error::internal("one operand is due"))?;
        let conversion = Conversion { from: self.from, to: self.to, zone: &self.zone, bad_time: self.bad_time };
        convert(&argument.datum(columns, rows)?, &conversion)
    }
}
