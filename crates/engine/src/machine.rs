//! What the machine has.

/// Bytes of memory.
#[cfg(target_os = "linux")]
pub(crate) fn memory() -> u64 {
    let machine = rustix::system::sysinfo();
    #[allow(clippy::useless_conversion, reason = "a machine word")]
    u64::from(machine.totalram).saturating_mul(u64::from(machine.mem_unit))
}

/// Bytes of memory.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory() -> u64 {
    use sysinfo::{MemoryRefreshKind, RefreshKind, System};
    System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram())).total_memory()
}
