//! Where TDengine would put a child: its vgroups share the range of a hash of the full name. Only the order of rows with equal times
//! hangs on it (see [`super::merge`]).

/// The vgroup, from 0 on, that a table of `vgroups` belongs to.
pub(crate) fn vgroup_of(database: &str, table: &str, vgroups: u32) -> u32 {
    if vgroups < 2 {
        return 0;
    }
    // The number of the one account there is comes first.
    let hash = murmur3(format!("1.{database}.{table}").as_bytes());
    (hash / (u32::MAX / vgroups)).min(vgroups - 1)
}

/// MurmurHash3, 32 bits, with TDengine's seed.
fn murmur3(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x1234_5678;
    let mixed = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = SEED;
    for block in blocks {
        hash = (hash ^ mixed(u32::from_le_bytes(*block))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !tail.is_empty() {
        hash ^= mixed(tail.iter().rev().fold(0, |block, byte| (block << 8) | u32::from(*byte)));
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_recorded() {
        let places: Vec<u32> = ["d1001", "d1002", "d1003", "d1004"].iter().map(|table| vgroup_of("g_win", table, 2)).collect();
        assert_eq!(places, [0, 0, 1, 0]);
        assert!((0..100).all(|at| vgroup_of("d", &at.to_string(), 7) < 7));
    }
}
