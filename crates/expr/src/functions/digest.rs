//! Digests and base64 of text.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use data_encoding::BASE32_NOPAD;
use embudo_types::{DataType, MAX_VARCHAR, Result, Value};
use hmac::{Hmac, KeyInit, Mac};
use md5::Digest;

use super::kernels::Texts;
use super::{Function, FunctionCall, invalid_type, invalid_value};
use crate::BoundExpr;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "md5", arguments: (1, 1), doc: "MD5 in hexadecimal.", bind: |call| hexadecimal(call, 32, |text| md5::Md5::digest(text).to_vec()) },
    Function { name: "sha1", arguments: (1, 1), doc: "SHA-1 in hexadecimal.", bind: |call| hexadecimal(call, 40, |text| sha1::Sha1::digest(text).to_vec()) },
    Function { name: "sha", arguments: (1, 1), doc: "SHA-1 in hexadecimal.", bind: |call| hexadecimal(call, 40, |text| sha1::Sha1::digest(text).to_vec()) },
    Function { name: "sha2", arguments: (2, 2), doc: "SHA-224, 256, 384 or 512 in hexadecimal.", bind: sha2 },
    Function { name: "to_base64", arguments: (1, 1), doc: "As base64.", bind: to_base64 },
    Function { name: "from_base64", arguments: (1, 1), doc: "What base64 holds; NULL where it is none.", bind: from_base64 },
    Function {
        name: "generate_totp_secret",
        arguments: (1, 1),
        doc: "The second factor's secret that a seed stands for, in base 32.",
        bind: generate_totp_secret,
    },
];

/// The second factor's secret that a seed stands for: HMAC-SHA-256 of it under an empty key.
pub fn totp_secret(seed: &[u8]) -> [u8; 32] {
    // An empty key is filled up with zeros to a block.
    let mut mac = Hmac::<sha2::Sha256>::new(&[0; 64].into());
    mac.update(seed);
    mac.finalize().into_bytes().into()
}

fn check_text(call: &FunctionCall<'_>) -> Result<()> {
    let data_type = call.data_type(0);
    if data_type.is_text() || matches!(data_type, DataType::VarBinary(_)) { Ok(()) } else { Err(invalid_type(call.name)) }
}

fn hexadecimal(mut call: FunctionCall<'_>, length: u32, digest: fn(&[u8]) -> Vec<u8>) -> Result<BoundExpr> {
    check_text(&call)?;
    call.arguments.truncate(1);
    let data_type = DataType::Varchar(length);
    let function = move |texts: &[&[u8]], out: &mut Vec<u8>| {
        let mut text = String::new();
        for byte in digest(texts[0]) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        out.extend_from_slice(text.as_bytes());
        true
    };
    call.binder.call(Texts { data_type, function }, call.arguments, data_type)
}

fn sha2(call: FunctionCall<'_>) -> Result<BoundExpr> {
    match call.constant(1)? {
        Value::BigInt(224) => hexadecimal(call, 56, |text| sha2::Sha224::digest(text).to_vec()),
        Value::BigInt(0 | 256) => hexadecimal(call, 64, |text| sha2::Sha256::digest(text).to_vec()),
        Value::BigInt(384) => hexadecimal(call, 96, |text| sha2::Sha384::digest(text).to_vec()),
        Value::BigInt(512) => hexadecimal(call, 128, |text| sha2::Sha512::digest(text).to_vec()),
        Value::BigInt(_) => Err(invalid_value(call.name)),
        _ => Err(invalid_type(call.name)),
    }
}

fn to_base64(call: FunctionCall<'_>) -> Result<BoundExpr> {
    check_text(&call)?;
    let data_type = DataType::Varchar((call.data_type(0).length().saturating_mul(4).div_ceil(3) + 4).min(MAX_VARCHAR));
    let function = |texts: &[&[u8]], out: &mut Vec<u8>| {
        out.extend_from_slice(BASE64_STANDARD.encode(texts[0]).as_bytes());
        true
    };
    call.binder.call(Texts { data_type, function }, call.arguments, data_type)
}

fn from_base64(call: FunctionCall<'_>) -> Result<BoundExpr> {
    check_text(&call)?;
    let data_type = DataType::Varchar(call.data_type(0).length().max(1));
    let function = |texts: &[&[u8]], out: &mut Vec<u8>| BASE64_STANDARD.decode_vec(texts[0], out).is_ok();
    call.binder.call(Texts { data_type, function }, call.arguments, data_type)
}

fn generate_totp_secret(call: FunctionCall<'_>) -> Result<BoundExpr> {
    check_text(&call)?;
    let data_type = DataType::Varchar(52);
    let function = |texts: &[&[u8]], out: &mut Vec<u8>| {
        out.extend_from_slice(BASE32_NOPAD.encode(&totp_secret(texts[0])).as_bytes());
        true
    };
    call.binder.call(Texts { data_type, function }, call.arguments, data_type)
}
