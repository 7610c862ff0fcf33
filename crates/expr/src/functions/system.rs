//! What the session and the server are.

use embudo_types::{DataType, Result, SERVER_VERSION, Value};

use super::kernels::Values;
use super::{Function, FunctionCall, invalid_type};
use crate::BoundExpr;
use crate::binder::null_of;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "database", arguments: (0, 0), doc: "The session's database.", bind: database },
    Function { name: "client_version", arguments: (0, 0), doc: "The version that clients speak.", bind: version },
    Function { name: "server_version", arguments: (0, 0), doc: "The version that the server announces.", bind: version },
    Function {
        name: "server_status",
        arguments: (0, 0),
        doc: "1 where the server runs.",
        bind: |call| Ok(BoundExpr::literal(Value::Int(1), call.binder.context().precision)),
    },
    Function { name: "current_user", arguments: (0, 0), doc: "The session's user and host.", bind: user },
    Function { name: "user", arguments: (0, 0), doc: "The session's user and host.", bind: user },
    Function { name: "rand", arguments: (0, 1), doc: "A random number from 0 up to 1; the same row by row for the same seed.", bind: rand },
    Function {
        name: "pi",
        arguments: (0, 0),
        doc: "The circle's number.",
        bind: |call| Ok(BoundExpr::literal(Value::Double(std::f64::consts::PI), call.binder.context().precision)),
    },
];

fn text(call: &FunctionCall<'_>, text: &str) -> BoundExpr {
    BoundExpr::literal(Value::Varchar(text.as_bytes().to_vec()), call.binder.context().precision)
}

fn database(call: FunctionCall<'_>) -> Result<BoundExpr> {
    Ok(match &call.binder.context().database {
        Some(name) => text(&call, name),
        None => null_of(DataType::Varchar(64)),
    })
}

fn version(call: FunctionCall<'_>) -> Result<BoundExpr> {
    Ok(text(&call, SERVER_VERSION))
}

fn user(call: FunctionCall<'_>) -> Result<BoundExpr> {
    static HOST: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| gethostname::gethostname().to_string_lossy().into_owned());
    let user = &call.binder.context().user;
    Ok(if user.contains('@') { text(&call, user) } else { text(&call, &format!("{user}@{}", *HOST)) })
}

/// `SplitMix64` over the seed (the statement's time without one) and the row's number.
fn rand(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let seed = match call.constant(0)? {
        Value::BigInt(seed) => seed as u64,
        Value::Null => call.binder.context().now as u64,
        _ => return Err(invalid_type(call.name)),
    };
    let counter = std::sync::atomic::AtomicU64::new(seed);
    let function = move |_: &[Value]| {
        let mut state = counter.fetch_add(0x9E37_79B9_7F4A_7C15, std::sync::atomic::Ordering::Relaxed);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Ok(Value::Double(((state ^ (state >> 31)) >> 11) as f64 / (1_u64 << 53) as f64))
    };
    let precision = call.binder.context().precision;
    call.binder.call(super::kernels::Impure(Values { data_type: DataType::Double, precision, function }), Vec::new(), DataType::Double)
}
