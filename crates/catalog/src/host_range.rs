//! Addresses that a user may come from: HOST lists of CREATE and ALTER USER.

use std::net::IpAddr;
use std::str::FromStr;

/// One address, or a network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostRange {
    address: IpAddr,
    /// Leading bits that count.
    bits: u8,
}

/// Not an address and not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHostRange;

impl FromStr for HostRange {
    type Err = NotAHostRange;

    fn from_str(text: &str) -> Result<Self, NotAHostRange> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| NotAHostRange)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| NotAHostRange)?;
        if bits > width { Err(NotAHostRange) } else { Ok(Self { address, bits }) }
    }
}

impl HostRange {
    /// Whether an address is in it. An IPv4 address that comes in the form of IPv6 is what it was.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => shifted(network.to_bits().into(), self.bits, 32) == shifted(address.to_bits().into(), self.bits, 32),
            (IpAddr::V6(network), IpAddr::V6(address)) => shifted(network.to_bits(), self.bits, 128) == shifted(address.to_bits(), self.bits, 128),
            _ => false,
        }
    }
}

/// The leading bits of an address of `width` bits.
fn shifted(address: u128, bits: u8, width: u8) -> u128 {
    address.checked_shr(u32::from(width.saturating_sub(bits))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_and_what_is_none() {
        for (range, address, inside) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.0/8", "10.255.3.4", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "192.168.1.1", true),
            ("0.0.0.0/0", "::2", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ] {
            let range: HostRange = range.parse().unwrap();
            assert_eq!(range.contains(address.parse().unwrap()), inside, "{range:?} {address}");
        }
        for text in ["", "10.0.0.300", "10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.0/-1", "example.org", "10.0.0.0/8/8"] {
            assert_eq!(text.parse::<HostRange>(), Err(NotAHostRange), "{text}");
        }
    }

    proptest! {
        /// Beside a comparison bit by bit.
        #[test]
        fn bits_count_from_the_front(network: u32, address: u32, bits in 0_u8..=32) {
            let range: HostRange = format!("{}/{bits}", std::net::Ipv4Addr::from_bits(network)).parse().unwrap();
            let same = (0..u32::from(bits)).all(|bit| (network << bit).leading_zeros().min(1) == (address << bit).leading_zeros().min(1));
            prop_assert_eq!(range.contains(IpAddr::V4(address.into())), same);
        }
    }
}
