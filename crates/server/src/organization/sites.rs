//! The organization's own sites, which may embed its clients' pages and use the widgets.

use mainstay_core::id::OrganizationId;
use mainstay_store::Scope;
use url::{Host, Url};

use crate::{Error, Mainstay, Result};

/// Maximum number of sites of an organization: all are sent with each client's page.
const MAX_SITES: usize = 50;

impl Mainstay {
    /// An organization's own sites, ordered by origin.
    pub async fn allowed_sites(&self, organization: OrganizationId) -> Result<Vec<String>> {
        self.allowed_sites_in(Scope::Service(organization)).await
    }

    /// The same, within a scope.
    pub async fn allowed_sites_in(&self, scope: Scope) -> Result<Vec<String>> {
        Ok(self.store().read(scope).await?.list_allowed_sites().await?)
    }

    /// The sites that may embed an error page for an unknown client: the requesting one, if any
    /// organization has allowed it; without an origin, those of the only organization with allowed
    /// sites. A list of all organizations' sites would reveal other customers.
    pub async fn sites_that_may_frame_errors(&self, origin: Option<&str>) -> Result<Vec<String>> {
        let sites = self.store().read(Scope::System).await?.list_all_allowed_sites().await?;
        if let Some(origin) = origin {
            let allowed = sites.iter().any(|(_, site)| site == origin);
            return Ok(if allowed { vec![origin.to_owned()] } else { Vec::new() });
        }
        let first = sites.first().map(|(organization, _)| *organization);
        let only_one = sites.iter().all(|(organization, _)| Some(*organization) == first);
        Ok(if only_one { sites.into_iter().map(|(_, site)| site).collect() } else { Vec::new() })
    }

    /// Adds a site; returns its origin.
    ///
    /// # Errors
    /// If it is not an origin, or the limit is reached.
    pub async fn add_allowed_site(&self, scope: impl Into<Scope>, site: &str) -> Result<String> {
        let origin = origin_of(site)?;
        let mut tx = self.store().begin(scope.into()).await?;
        let sites = tx.list_allowed_sites().await?;
        if sites.len() >= MAX_SITES && !sites.contains(&origin) {
            return Err(Error::invalid(
                "site",
                format!(
                    "cannot be added: there are already {MAX_SITES}, which is the limit; remove one"
                ),
            ));
        }
        tx.add_allowed_site(&origin, self.now()).await?;
        tx.commit().await?;
        Ok(origin)
    }

    /// Removes a site.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is not in the list.
    pub async fn remove_allowed_site(&self, scope: impl Into<Scope>, origin: &str) -> Result<()> {
        let mut tx = self.store().begin(scope.into()).await?;
        if !tx.remove_allowed_site(origin).await? {
            return Err(Error::NotFound {
                what: "allowed site",
                id: origin.to_owned(),
                remedy: "the settings list all allowed sites",
            });
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The origin of a site, as sent by browsers.
fn origin_of(site: &str) -> Result<String> {
    let refused = || {
        Error::invalid(
            "site",
            format!(
                "{site:?} is not an origin; use only scheme, host and port, for example \
                 https://app.example.com (http only for localhost)"
            ),
        )
    };
    let url = Url::parse(site.trim()).map_err(|_| refused())?;
    let encrypted = match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    };
    // A host of letters that mean something in a policy would mean it there.
    let plain = url.host_str().is_some_and(|host| !host.contains(['*', ';', ',', '\'', '"', ' ']));
    let alone = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let origin = url.origin().ascii_serialization();
    if encrypted && plain && alone && origin.len() <= 255 { Ok(origin) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_kept_as_its_origin() {
        for (site, origin) in [
            (" https://App.Example.com/ ", "https://app.example.com"),
            ("https://app.example.com:443", "https://app.example.com"),
            ("https://app.example.com:8443", "https://app.example.com:8443"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ] {
            assert_eq!(origin_of(site).unwrap(), origin);
        }
        for wrong in [
            "",
            "app.example.com",
            "http://app.example.com",
            "https://app.example.com/page",
            "https://app.example.com?x",
            "https://me@app.example.com",
            "https://*.example.com",
            "https://a.example;script-src",
            "javascript:alert(1)",
            "data:text/html,x",
        ] {
            assert!(origin_of(wrong).is_err(), "{wrong:?}");
        }
    }
}
