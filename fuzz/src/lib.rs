//! What targets share: valid bytes with some of them changed, which reach further into a decoder than any bytes do.

/// What a target is given.
#[derive(arbitrary::Arbitrary, Debug)]
pub enum Input<'a> {
    /// Any bytes.
    Any(&'a [u8]),
    /// A valid example, cut here, with bytes changed at these places.
    Changed {
        /// Which example.
        example: u8,
        /// Bytes that are kept; more than there are keeps all.
        kept: u16,
        /// Places and what stands there instead.
        changes: Vec<(u16, u8)>,
    },
}

impl Input<'_> {
    /// The bytes, of one of these examples where it asks for one.
    pub fn bytes(&self, examples: &[Vec<u8>]) -> Vec<u8> {
        match self {
            Self::Any(bytes) => bytes.to_vec(),
            Self::Changed { example, kept, changes } => {
                let mut bytes = examples[usize::from(*example) % examples.len()].clone();
                if usize::from(*kept) < bytes.len() && kept % 4 == 0 {
                    bytes.truncate(usize::from(*kept));
                }
                changed(&mut bytes, changes);
                bytes
            }
        }
    }
}

/// Changes bytes at some places.
pub fn changed(bytes: &mut [u8], changes: &[(u16, u8)]) {
    for (at, value) in changes {
        if let Some(at) = usize::from(*at).checked_rem(bytes.len()) {
            bytes[at] = *value;
        }
    }
}
