//! Email addresses in SMTP. A mail server expects ASCII: a domain has an ASCII form (RFC 5891),
//! and anything else before the `@` needs a server that offers SMTPUTF8 (RFC 6531).

use lettre::Address;

/// An address with its domain in ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WireAddress {
    pub(super) address: Address,
    /// Whether it requires SMTPUTF8.
    pub(super) needs_utf8: bool,
}

impl WireAddress {
    /// Parses an address for SMTP.
    ///
    /// # Errors
    /// With the reason, if the address cannot be used in SMTP.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let unknown = || "the address cannot be used in SMTP".to_owned();
        let (local, domain) = text.rsplit_once('@').ok_or_else(unknown)?;
        let domain = if domain.starts_with('[') {
            domain.to_owned()
        } else {
            idna::domain_to_ascii(domain).map_err(|_| unknown())?
        };
        let address = Address::new(local, domain).map_err(|_| unknown())?;
        Ok(Self { needs_utf8: !local.is_ascii(), address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_goes_in_ascii_and_the_rest_as_it_is() {
        for (text, expected, needs_utf8) in [
            ("ada@example.com", "ada@example.com", false),
            ("ada@bücher.example", "ada@xn--bcher-kva.example", false),
            ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example", false),
            ("jörg@example.com", "jörg@example.com", true),
            ("用户@例え.example", "用户@xn--r8jz45g.example", true),
            ("ada@[192.0.2.1]", "ada@[192.0.2.1]", false),
        ] {
            let parsed = WireAddress::parse(text).unwrap();
            assert_eq!((parsed.address.as_ref(), parsed.needs_utf8), (expected, needs_utf8));
        }
        for wrong in ["ada", "ada@", "@example.com", "a\r\nb@example.com", "ada@xn--a.example"] {
            assert!(WireAddress::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
