//! A value that an expression needs in several places, computed once a batch: else what nests such expressions, as
//! `COALESCE(COALESCE(…` does, would take twice as long with every level.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::ArrayRef;
use embudo_types::{Error, Result};

use crate::BoundExpr;
use crate::bound::{Call, Kernel, Node};
use crate::datum::Datum;

/// Numbers of shared values; they only need to differ within an expression.
static NEXT: AtomicU64 = AtomicU64::new(0);

enum Known {
    /// Not needed so far; what nobody needs is never computed.
    Pending(BoundExpr),
    Ready(Datum),
}

thread_local! {
    /// The shared values around what this thread evaluates, outer ones first.
    static AROUND: RefCell<Vec<(u64, Known)>> = const { RefCell::new(Vec::new()) };
}

/// Its first argument is what the number stands for within the second one.
struct Share(u64);

impl Kernel for Share {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let [value, body] = arguments else { return Err(Error::internal("a shared value without its expression")) };
        let outer = AROUND.with_borrow_mut(|around| {
            around.push((self.0, Known::Pending(value.clone())));
            around.len() - 1
        });
        let result = body.datum(columns, rows);
        AROUND.with_borrow_mut(|around| around.truncate(outer));
        result
    }
}

impl BoundExpr {
    /// What `body` makes of the value, which it may use as often as it likes.
    pub(crate) fn shared(self, body: impl FnOnce(Self) -> Result<Self>) -> Result<Self> {
        // Columns and constants cost nothing.
        if !matches!(self.node, Node::Call(_)) {
            return body(self);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let body = body(Self { node: Node::Shared(number), data_type: self.data_type, precision: self.precision })?;
        let (data_type, precision) = (body.data_type, body.precision);
        let call = Call { kernel: Arc::new(Share(number)), arguments: vec![self, body] };
        Ok(Self { node: Node::Call(Arc::new(call)), data_type, precision })
    }
}

/// The value of a number, computed where this is the first to ask.
pub(crate) fn datum(number: u64, columns: &[ArrayRef], rows: usize) -> Result<Datum> {
    let place = |around: &[(u64, Known)]| around.iter().rposition(|(known, _)| *known == number);
    let unknown = || Error::internal("a shared value outside of its expression");
    let value = AROUND.with_borrow(|around| match place(around).map(|place| &around[place].1) {
        None => Err(unknown()),
        Some(Known::Ready(datum)) => Ok(Err(datum.clone())),
        Some(Known::Pending(value)) => Ok(Ok(value.clone())),
    })?;
    let value = match value {
        Ok(value) => value,
        Err(datum) => return Ok(datum),
    };
    let computed = value.datum(columns, rows)?;
    AROUND.with_borrow_mut(|around| {
        if let Some(place) = place(around) {
            around[place].1 = Known::Ready(computed.clone());
        }
    });
    Ok(computed)
}
