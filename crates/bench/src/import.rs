//! Importing a file.

use std::{path::Path, sync::Arc};

use mainstay::{
    Mainstay, SystemClock,
    engagement::import::{ImportOptions, ImportSource},
    organization::CreateOrganization,
};
use mainstay_store::Store;

use crate::{
    Result,
    figures::{Stopwatch, median, print_line, rate, thousands},
};

/// Imports the file into a new SQLite database, several times; the ceiling is reading it alone.
pub(crate) async fn run(file: &Path, runs: usize) -> Result<()> {
    let (mut imports, mut reads, mut rows) = (Vec::new(), Vec::new(), 0);
    for _ in 0..runs.max(1) {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite:{}", folder.path().join("bench.db").display());
        let store = Store::open(&url).await?;
        store.migrate().await?;
        let mainstay = Mainstay::new(store, Arc::new(SystemClock));
        let organization = mainstay
            .create_organization(CreateOrganization {
                slug: "bench".to_owned(),
                name: None,
                time_zone: None,
                sample: true,
            })
            .await?
            .organization;
        let options = ImportOptions::default();
        let watch = Stopwatch::start();
        let summary = mainstay.import_file(organization.id, file, &options, false, |_| ()).await?;
        imports.push(watch.elapsed());
        rows = summary.read;

        let watch = Stopwatch::start();
        let read =
            ImportSource::open(file, &options)?.filter(|row| matches!(row, Ok(Ok(_)))).count();
        reads.push(watch.elapsed());
        if read as u64 + summary.refused < rows {
            return Err("the file changed while it was read".into());
        }
    }
    let (import, read) = (median(imports), median(reads));
    print_line(format_args!(
        "import into SQLite: {rows} rows, median of {runs}: {:.2} s, {}",
        import.as_secs_f64(),
        thousands(rate(rows, import))
    ));
    print_line(format_args!(
        "ceiling, only reading the file: {:.2} s; storing takes the other {:.2} s",
        read.as_secs_f64(),
        import.saturating_sub(read).as_secs_f64()
    ));
    Ok(())
}
