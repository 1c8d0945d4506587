//! Currencies and their two exponents: ISO 4217's, and the one Stripe's integers use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 4217 currency. Lower case on the wire (as Stripe writes it), upper case as the ledger's commodity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A code that is no active ISO 4217 currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown currency {0:?}")]
pub struct UnknownCurrency(pub String);

/// ISO 4217 exponents, every active currency. Sorted by code; a test compares with `iso_currency`.
const ISO_EXPONENTS: &str = "\
AED2 AFN2 ALL2 AMD2 AOA2 ARS2 AUD2 AWG2 AZN2 BAM2 BBD2 BDT2 BGN2 BHD3 BIF0 BMD2 BND2 BOB2 BRL2 BSD2 BTN2 BWP2 BYN2 \
BZD2 CAD2 CDF2 CHF2 CLP0 CNY2 COP2 CRC2 CUP2 CVE2 CZK2 DJF0 DKK2 DOP2 DZD2 EGP2 ERN2 ETB2 EUR2 FJD2 FKP2 GBP2 GEL2 \
GHS2 GIP2 GMD2 GNF0 GTQ2 GYD2 HKD2 HNL2 HTG2 HUF2 IDR2 ILS2 INR2 IQD3 IRR2 ISK0 JMD2 JOD3 JPY0 KES2 KGS2 KHR2 KMF0 \
KPW2 KRW0 KWD3 KYD2 KZT2 LAK2 LBP2 LKR2 LRD2 LSL2 LYD3 MAD2 MDL2 MGA2 MKD2 MMK2 MNT2 MOP2 MRU2 MUR2 MVR2 MWK2 MXN2 \
MYR2 MZN2 NAD2 NGN2 NIO2 NOK2 NPR2 NZD2 OMR3 PAB2 PEN2 PGK2 PHP2 PKR2 PLN2 PYG0 QAR2 RON2 RSD2 RUB2 RWF0 SAR2 SBD2 \
SCR2 SDG2 SEK2 SGD2 SHP2 SLE2 SOS2 SRD2 SSP2 STN2 SVC2 SYP2 SZL2 THB2 TJS2 TMT2 TND3 TOP2 TRY2 TTD2 TWD2 TZS2 UAH2 \
UGX0 USD2 UYU2 UZS2 VES2 VND0 VUV0 WST2 XAF0 XCD2 XOF0 XPF0 YER2 ZAR2 ZMW2 ZWG2";

/// Where Stripe's integer has another exponent than ISO 4217 says. Stripe: "Supported currencies", zero-decimal list
/// (MGA is on it) and special cases (ISK and UGX are sent times 100).
const STRIPE_EXPONENTS: [(&[u8; 3], u32); 3] = [(b"ISK", 2), (b"MGA", 0), (b"UGX", 2)];

impl Currency {
    /// US dollar.
    pub const USD: Self = Self(*b"USD");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");
    /// Yen.
    pub const JPY: Self = Self(*b"JPY");

    /// The upper-case code, which is the ledger's commodity.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency code is ASCII")
    }

    /// Decimal places of the minor unit by ISO 4217.
    pub fn iso_exponent(self) -> u32 {
        iso_exponent(self.0).expect("a currency is only made from the table")
    }

    /// Decimal places of the integers Stripe uses for it.
    pub fn stripe_exponent(self) -> u32 {
        STRIPE_EXPONENTS
            .iter()
            .find(|(code, _)| **code == self.0)
            .map_or_else(|| self.iso_exponent(), |(_, exponent)| *exponent)
    }
}

/// The table is 156 entries of five bytes; a linear look is some nanoseconds and needs no second structure.
fn iso_exponent(code: [u8; 3]) -> Option<u32> {
    ISO_EXPONENTS
        .as_bytes()
        .chunks(5)
        .find(|entry| entry[..3] == code)
        .map(|entry| u32::from(entry[3] - b'0'))
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        let unknown = || UnknownCurrency(text.to_owned());
        let mut code: [u8; 3] = text.as_bytes().try_into().map_err(|_| unknown())?;
        code.make_ascii_uppercase();
        iso_exponent(code).map(|_| Self(code)).ok_or_else(unknown)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.code().to_ascii_lowercase())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;

    #[test]
    fn our_exponents_are_iso_currencys() {
        for entry in ISO_EXPONENTS.split(' ') {
            let theirs = iso_currency::Currency::from_code(&entry[..3]).expect(entry);
            let ours: Currency = entry[..3].parse().expect(entry);
            assert_eq!(
                theirs.exponent().map(u32::from),
                Some(ours.iso_exponent()),
                "{entry}"
            );
        }
    }

    #[test]
    fn stripe_amounts_convert_exactly_or_not_at_all() {
        let isk: Currency = "isk".parse().expect("known");
        assert_eq!(Money::from_stripe(500, isk).map(|m| m.minor), Ok(5));
        assert!(Money::from_stripe(501, isk).is_err());
        let mga: Currency = "mga".parse().expect("known");
        assert_eq!(Money::from_stripe(5, mga).map(|m| m.minor), Ok(500));
        assert_eq!(Money::new(500, mga).to_stripe(), Ok(5));
        assert!(Money::new(501, mga).to_stripe().is_err());
    }

    #[test]
    fn amounts_beyond_what_adds_up_are_refused() {
        let most = Money::MAX_MINOR;
        assert!(Money::from_stripe(most, Currency::USD).is_ok());
        assert!(Money::from_stripe(most + 1, Currency::USD).is_err());
        assert!(Money::from_stripe(i64::MIN, Currency::USD).is_err());
        assert!(Money::from_stripe(most, "mga".parse().expect("known")).is_err());
    }

    #[test]
    fn unknown_codes_are_refused() {
        for text in ["", "us", "usdd", "zzz", "XAU", "ÜSD"] {
            assert!(text.parse::<Currency>().is_err(), "{text}");
        }
    }
}
