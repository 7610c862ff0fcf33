//! Where TDengine would put a child: its vgroups share the range of a hash of the full name. Only the order of rows with equal times
//! hangs on it (see [`super::merge`]).

use embudo_expr::{MURMUR_SEED, murmur3};

/// The vgroup, from 0 on, that a table of `vgroups` belongs to.
pub(crate) fn vgroup_of(database: &str, table: &str, vgroups: u32) -> u32 {
    if vgroups < 2 {
        return 0;
    }
    // The number of the one account there is comes first.
    let hash = murmur3(format!("1.{database}.{table}").as_bytes(), MURMUR_SEED);
    (hash / (u32::MAX / vgroups)).min(vgroups - 1)
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
