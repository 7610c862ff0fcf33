//! The hash that TDengine places things by: values among equally frequent ones, tables among vgroups.

/// The seed that TDengine uses.
pub const MURMUR_SEED: u32 = 0x1234_5678;

/// `MurmurHash3_x86_32` (Austin Appleby, public domain).
pub fn murmur3(bytes: &[u8], seed: u32) -> u32 {
    let scramble = |word: u32| word.wrapping_mul(0xCC9E_2D51).rotate_left(15).wrapping_mul(0x1B87_3593);
    let mut hash = seed;
    for chunk in bytes.chunks(4) {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        hash ^= scramble(u32::from_le_bytes(word));
        if chunk.len() == 4 {
            hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64);
        }
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur_of_known_texts() {
        // Published test values of MurmurHash3_x86_32.
        for (text, seed, expected) in [("", 0, 0), ("", 1, 0x514E_28B7), ("aaaa", 0x9747_B28C, 0x5A97_808A), ("abc", 0, 0xB3DD_93FA)] {
            assert_eq!(murmur3(text.as_bytes(), seed), expected, "{text}");
        }
    }
}
