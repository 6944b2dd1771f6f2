use askama::Template;
use axum::extract::State;
use mainstay_core::{
    score::{ScoreModel, Trend},
    text::{count_noun, format_thousands},
};

use super::{
    super::{Frame, Tab},
    again,
    draft::{Draft, Pairs},
};
use crate::{
    score::Move,
    web::{
        AdminSession, Form, FormError, PageError, PageResult, Pages, StaffSession, StaffShell, Web,
        show,
        ui::components::{BandChip, TrendMark, display_name},
    },
};

/// Clients on one page.
const PER_PAGE: usize = 50;

pub(super) fn pages() -> Pages {
    Pages::new().post("/settings/score-model/preview", preview)
}

struct Row {
    client: String,
    before: (i64, BandChip),
    after: (i64, BandChip),
    change: TrendMark,
}

struct BandCount {
    band: BandChip,
    before: usize,
    after: usize,
    /// The difference, with its sign.
    moved: String,
}

#[derive(Template)]
#[template(path = "settings/score_model/preview.html")]
struct PreviewPage {
    shell: StaffShell,
    frame: Frame,
    name: String,
    /// The version that it would become.
    version: i64,
    clients: String,
    moved: String,
    bands: Vec<BandCount>,
    rows: Vec<Row>,
    page: usize,
    pages: usize,
    pairs: Pairs,
}

async fn preview(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(pairs): Form<Pairs>,
) -> PageResult {
    let draft = Draft::from_form(&pairs);
    let model = match draft.model() {
        Ok(model) => model,
        Err(error) => return again(&web, &session, &draft, error).await,
    };
    let preview = match web.mainstay.preview_score_model(session.scope, &model).await {
        Ok(preview) => preview,
        Err(error) => return again(&web, &session, &draft, FormError::of(error)?).await,
    };
    let context = web.mainstay.context_in(session.scope).await?;
    let newest = context.models.iter().map(|stored| stored.version).max().unwrap_or_default();
    let pages = preview.moves.len().div_ceil(PER_PAGE).max(1);
    let asked =
        pairs.iter().find(|(name, _)| name == "page").and_then(|(_, page)| page.parse().ok());
    let page = asked.unwrap_or(1_usize).clamp(1, pages);
    let moves = preview.moves.iter().skip((page - 1) * PER_PAGE).take(PER_PAGE);
    let mut rows = Vec::with_capacity(PER_PAGE);
    for one in moves {
        rows.push(row(&web, &session, one, &model).await?);
    }
    let frame = Frame::new(&session, Tab::ScoreModel);
    let others = preview.moves.iter().filter(|one| one.change() != 0).count();
    let bands = preview.bands.into_iter().map(|(band, before, after)| BandCount {
        band: band.into(),
        before,
        after,
        moved: signed(after, before),
    });
    show(&PreviewPage {
        shell: frame.shell.clone(),
        frame,
        name: model.name.clone(),
        version: newest + 1,
        clients: count_noun(count(preview.moves.len()), "client"),
        moved: format_thousands(count(others)),
        bands: bands.collect(),
        rows,
        page,
        pages,
        pairs: draft.pairs(),
    })
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn signed(after: usize, before: usize) -> String {
    match count(after) - count(before) {
        0 => "0".to_owned(),
        more @ 1.. => format!("+{}", format_thousands(more)),
        fewer => format_thousands(fewer),
    }
}

async fn row(
    web: &Web,
    session: &StaffSession,
    one: &Move,
    model: &ScoreModel,
) -> Result<Row, PageError> {
    let external_id = web.mainstay.external_id(session.scope, one.client).await?;
    let client = web.mainstay.client(session.scope, &external_id).await?;
    let trend: Trend = model.trend(Some(one.change()));
    let name = client.profile.name.as_deref();
    Ok(Row {
        client: display_name(name, &client.external_id).to_owned(),
        before: (one.before.0, one.before.1.into()),
        after: (one.after.0, one.after.1.into()),
        change: TrendMark::new(one.change(), trend),
    })
}
