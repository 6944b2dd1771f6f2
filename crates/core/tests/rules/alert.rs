//! Momentum alerts over a moving clock: every rule's opening, escalation, end and return.

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use mainstay_core::{
    alert::{
        Action, ActionError, AlertFacts, AlertStatus, AlertType, Change, Condition, Ending,
        Episode, Family, Finding, MAX_SNOOZE, ScoreFacts, Severity, TaskInProgress, Transition,
        apply_action, check, condition,
    },
    id::AlertId,
    insight::ComponentChange,
    score::{Component, Previous, ScoreModel},
};
use proptest::prelude::*;
use uuid::Uuid;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// Tue 24 Nov 2026, 09:40 in Copenhagen.
fn start() -> Timestamp {
    "2026-11-24T08:40:00Z".parse().expect("a timestamp of the test")
}

/// A client that was here a minute ago and has nothing wrong with it.
fn well(as_of: Timestamp) -> AlertFacts {
    AlertFacts {
        as_of,
        zone: TimeZone::get("Europe/Copenhagen").expect("a zone of the test"),
        created_at: "2026-03-03T09:21:00Z".parse().expect("a timestamp of the test"),
        last_event_at: Some(as_of - 1.minute()),
        usual_gap_days: None,
        tasks_in_progress: Vec::new(),
        score: None,
    }
}

fn silent_for(silence: SignedDuration) -> AlertFacts {
    AlertFacts { last_event_at: Some(start() - silence), ..well(start()) }
}

fn task(title: &str, updated_at: Timestamp) -> TaskInProgress {
    TaskInProgress { title: title.to_owned(), updated_at }
}

/// A score of the standard model, compared with one of a week before.
fn score(as_of: Timestamp, overall: i64, previous: Option<i64>) -> ScoreFacts {
    let previous = previous.map(|overall| Previous { as_of: as_of - DAY * 7, overall });
    ScoreFacts::new(as_of, overall, previous, &ScoreModel::standard())
}

fn scored(overall: i64, previous: Option<i64>) -> AlertFacts {
    AlertFacts { score: Some(score(start(), overall, previous)), ..well(start()) }
}

fn verdict(family: Family, facts: &AlertFacts) -> Option<(AlertType, Severity)> {
    match condition(family, facts) {
        Condition::Met(finding) => Some((finding.kind, finding.severity)),
        Condition::StillMet(_) | Condition::Ended => None,
    }
}

/// Everything that keeps a client's alerts between two checks, and the clock.
struct Desk {
    now: Timestamp,
    facts: AlertFacts,
    episodes: Vec<Episode>,
}

impl Desk {
    fn new() -> Self {
        Self { now: start(), facts: well(start()), episodes: Vec::new() }
    }

    fn pass(&mut self, time: SignedDuration) -> &mut Self {
        self.now += time;
        self.facts.as_of = self.now;
        self
    }

    fn event(&mut self) -> &mut Self {
        self.facts.last_event_at = Some(self.now - 1.minute());
        self
    }

    fn score(&mut self, overall: i64, previous: i64) -> &mut Self {
        self.facts.score = Some(score(self.now, overall, Some(previous)));
        self
    }

    /// Checks, carries out what comes back, and tells what members would be told.
    fn check(&mut self) -> Vec<(Change, AlertType, Severity)> {
        let mut told = Vec::new();
        for transition in self.check_fully() {
            let Some(change) = transition.change() else {
                continue;
            };
            let (kind, severity) = match (&transition, transition.id()) {
                (Transition::Opened(finding), _) => (finding.kind, finding.severity),
                (_, Some(id)) => {
                    let one = self.get(id);
                    (one.kind, one.severity)
                }
                (_, None) => unreachable!("only an opening has no id"),
            };
            told.push((change, kind, severity));
        }
        told
    }

    fn check_fully(&mut self) -> Vec<Transition> {
        let transitions = check(&self.episodes, &self.facts);
        for transition in &transitions {
            match (transition, transition.id()) {
                (Transition::Opened(finding), _) => {
                    let id = AlertId::new(Uuid::from_u128(self.episodes.len() as u128));
                    self.episodes.push(Episode::open(id, finding.clone(), self.now));
                }
                (_, Some(_)) => {
                    for one in &mut self.episodes {
                        one.apply(transition.clone(), self.now);
                    }
                }
                (_, None) => unreachable!("only an opening has no id"),
            }
            self.assert_one_open_each();
        }
        assert_eq!(check(&self.episodes, &self.facts), [], "a second check finds nothing new");
        transitions
    }

    fn assert_one_open_each(&self) {
        for family in Family::ALL {
            let of_family = |one: &&Episode| one.kind.family() == family;
            let open = self.episodes.iter().filter(of_family).filter(|one| one.status.is_open());
            assert!(open.count() <= 1, "two open episodes of {family:?}: {:#?}", self.episodes);
            let live = self.episodes.iter().filter(of_family).filter(|one| one.is_live());
            assert!(live.count() <= 1, "two live episodes of {family:?}: {:#?}", self.episodes);
        }
    }

    fn get(&self, id: AlertId) -> &Episode {
        self.episodes.iter().find(|one| one.id == id).expect("a known episode")
    }

    fn last(&self) -> &Episode {
        self.episodes.last().expect("an episode")
    }

    fn act(&mut self, action: Action) -> &mut Self {
        let now = self.now;
        let one =
            self.episodes.iter_mut().rfind(|one| one.status.is_open()).expect("an open episode");
        let state = apply_action(one, action, now).expect("an allowed action");
        one.set(state);
        self
    }
}

const INACTIVE: (AlertType, Severity) = (AlertType::Inactivity, Severity::Warning);
const ZERO: (AlertType, Severity) = (AlertType::ZeroActivity, Severity::Critical);
const STALLED: (AlertType, Severity) = (AlertType::TaskStalled, Severity::Warning);
const DROP: (AlertType, Severity) = (AlertType::ScoreDrop, Severity::Warning);
const DEEP_DROP: (AlertType, Severity) = (AlertType::ScoreDrop, Severity::Critical);
const CHURN: (AlertType, Severity) = (AlertType::ChurnRisk, Severity::Warning);
const SURE_CHURN: (AlertType, Severity) = (AlertType::ChurnRisk, Severity::Critical);
const ATTENTION: (AlertType, Severity) = (AlertType::NeedsAttention, Severity::Info);

fn opened(what: (AlertType, Severity)) -> (Change, AlertType, Severity) {
    (Change::Opened, what.0, what.1)
}

fn worsened(what: (AlertType, Severity)) -> (Change, AlertType, Severity) {
    (Change::Worsened, what.0, what.1)
}

fn resolved(what: (AlertType, Severity)) -> (Change, AlertType, Severity) {
    (Change::Resolved, what.0, what.1)
}

mod thresholds {
    use super::*;

    #[test]
    fn silence_is_inactivity_from_48_hours_and_no_activity_from_72() {
        let second = SignedDuration::from_secs(1);
        let cases = [
            (HOUR * 48 - second, None),
            (HOUR * 48 - MICROSECOND, None),
            (HOUR * 48, Some(INACTIVE)),
            (HOUR * 72 - second, Some(INACTIVE)),
            (HOUR * 72 - MICROSECOND, Some(INACTIVE)),
            (HOUR * 72, Some(ZERO)),
            (DAY * 400, Some(ZERO)),
        ];
        for (silence, expected) in cases {
            assert_eq!(verdict(Family::Silence, &silent_for(silence)), expected, "{silence:?}");
            let never =
                AlertFacts { created_at: start() - silence, last_event_at: None, ..well(start()) };
            assert_eq!(verdict(Family::Silence, &never), expected, "created {silence:?} ago");
        }
    }

    #[test]
    fn the_clock_change_of_an_autumn_night_does_not_shorten_a_silence() {
        let zone = TimeZone::get("Europe/Copenhagen").unwrap();
        let last: Timestamp = "2026-10-24T10:00:00+02:00".parse().unwrap();
        let by_wall_clock: Timestamp = "2026-10-26T10:00:00+01:00".parse().unwrap();
        let facts = |as_of| AlertFacts {
            as_of,
            zone: zone.clone(),
            last_event_at: Some(last),
            ..well(as_of)
        };
        assert_eq!(verdict(Family::Silence, &facts(by_wall_clock - HOUR - MICROSECOND)), None);
        assert_eq!(verdict(Family::Silence, &facts(by_wall_clock - HOUR)), Some(INACTIVE));
    }

    #[test]
    fn a_task_is_stalled_from_72_hours() {
        let cases = [
            (HOUR * 72 - SignedDuration::from_secs(1), None),
            (HOUR * 72 - MICROSECOND, None),
            (HOUR * 72, Some(STALLED)),
        ];
        for (untouched, expected) in cases {
            let facts = AlertFacts {
                tasks_in_progress: vec![
                    task("fresh", start() - HOUR),
                    task("old", start() - untouched),
                ],
                ..well(start())
            };
            assert_eq!(verdict(Family::TaskStalled, &facts), expected, "{untouched:?}");
        }
    }

    #[test]
    fn a_score_drop_is_a_warning_from_20_and_critical_from_30() {
        let cases = [
            (20, None),
            (0, None),
            (-19, None),
            (-20, Some(DROP)),
            (-29, Some(DROP)),
            (-30, Some(DEEP_DROP)),
            (-100, Some(DEEP_DROP)),
        ];
        for (change, expected) in cases {
            let facts = scored(80.min(100 + change), Some(80.min(100 + change) - change));
            assert_eq!(verdict(Family::ScoreDrop, &facts), expected, "change {change}");
        }
        assert_eq!(verdict(Family::ScoreDrop, &scored(10, None)), None, "nothing to compare with");
        assert_eq!(verdict(Family::ScoreDrop, &well(start())), None, "no score");
    }

    #[test]
    fn silence_is_a_churn_risk_beyond_three_usual_gaps_and_seven_days() {
        let cases = [(1, 7), (2, 7), (3, 9), (4, 12), (30, 90)];
        for (gap, limit) in cases {
            let facts = |silence| AlertFacts { usual_gap_days: Some(gap), ..silent_for(silence) };
            let verdict = |silence| verdict(Family::ChurnRisk, &facts(silence));
            assert_eq!(verdict(DAY * limit - MICROSECOND), None, "gap {gap}");
            assert_eq!(verdict(DAY * limit), None, "gap {gap}, exactly at its limit");
            assert_eq!(verdict(DAY * limit + MICROSECOND), Some(CHURN), "gap {gap}");
        }
        assert_eq!(
            verdict(Family::ChurnRisk, &silent_for(DAY * 400)),
            None,
            "without a known gap no silence is unusual"
        );
    }

    #[test]
    fn at_risk_and_declining_is_a_churn_risk_and_both_reasons_make_it_critical() {
        let cases = [
            (39, 44, Some(CHURN)),
            (39, 43, None),
            (40, 45, None),
            (40, 90, None),
            (0, 5, Some(CHURN)),
            (39, 34, None),
        ];
        for (overall, previous, expected) in cases {
            let facts = scored(overall, Some(previous));
            assert_eq!(verdict(Family::ChurnRisk, &facts), expected, "{previous} → {overall}");
        }
        assert_eq!(verdict(Family::ChurnRisk, &scored(10, None)), None);
        let both = |silence| AlertFacts {
            usual_gap_days: Some(4),
            score: scored(39, Some(44)).score,
            ..silent_for(silence)
        };
        assert_eq!(verdict(Family::ChurnRisk, &both(DAY * 12)), Some(CHURN));
        assert_eq!(verdict(Family::ChurnRisk, &both(DAY * 12 + MICROSECOND)), Some(SURE_CHURN));
    }

    #[test]
    fn needs_attention_opens_from_above_and_stays_while_in_the_band() {
        #[derive(Debug, PartialEq)]
        enum Is {
            Opens,
            Stays,
            Over,
        }
        let cases = [
            (59, Some(60), Is::Opens),
            (40, Some(60), Is::Opens),
            (59, Some(100), Is::Opens),
            (59, Some(59), Is::Stays),
            (45, Some(30), Is::Stays),
            (50, None, Is::Stays),
            (60, Some(70), Is::Over),
            (39, Some(60), Is::Over),
            (60, Some(59), Is::Over),
        ];
        for (overall, previous, expected) in cases {
            let is = match condition(Family::NeedsAttention, &scored(overall, previous)) {
                Condition::Met(_) => Is::Opens,
                Condition::StillMet(_) => Is::Stays,
                Condition::Ended => Is::Over,
            };
            assert_eq!(is, expected, "{previous:?} → {overall}");
        }
    }

    #[test]
    fn the_bands_of_an_organizations_own_model_decide() {
        let mut model = ScoreModel::standard();
        model.bands.good = 70;
        let previous = Some(Previous { as_of: start() - DAY * 7, overall: 70 });
        let facts = AlertFacts {
            score: Some(ScoreFacts::new(start(), 69, previous, &model)),
            ..well(start())
        };
        assert_eq!(verdict(Family::NeedsAttention, &facts), Some(ATTENTION));
        assert_eq!(verdict(Family::NeedsAttention, &scored(69, Some(70))), None);
    }

    #[test]
    fn everything_but_a_stalled_task_rests_on_what_came_lately() {
        for kind in AlertType::ALL {
            assert_eq!(kind.depends_on_activity(), *kind != AlertType::TaskStalled, "{kind}");
        }
    }
}

mod data {
    use mainstay_core::alert::{ActiveDays, DataFlow, SilentHours, held_until, is_new_normal};

    use super::*;

    fn zone() -> TimeZone {
        well(start()).zone
    }

    fn flow(events: i64, clients: i64) -> DataFlow {
        DataFlow {
            events,
            events_before: vec![40, 40, 40, 40],
            clients,
            clients_before: vec![60, 58, 61, 59],
        }
    }

    #[test]
    fn no_event_where_every_week_before_had_some_is_a_stop() {
        assert!(flow(0, 60).has_stopped());
        assert!(!flow(1, 60).has_stopped());
        let holiday = DataFlow { events_before: vec![40, 0, 40, 40], ..flow(0, 60) };
        assert!(!holiday.has_stopped(), "a week without, and nobody can tell");
        assert!(!DataFlow::default().has_stopped(), "no week before");
    }

    #[test]
    fn fewer_than_half_the_clients_of_the_weakest_week_are_a_part_of_the_data() {
        assert!(flow(100, 28).has_dropped());
        assert!(!flow(100, 29).has_dropped(), "half of 58");
        let small = DataFlow { clients_before: vec![4, 4, 4, 4], ..flow(100, 0) };
        assert!(!small.has_dropped(), "four clients may all be away");
        let young = DataFlow { clients_before: vec![60, 60, 60, 0], ..flow(100, 0) };
        assert!(!young.has_dropped(), "the fourth week is not known");
    }

    #[test]
    fn data_flow_again_at_half_their_usual_rate_of_events_and_clients() {
        assert!(flow(20, 30).is_usual());
        assert!(!flow(19, 30).is_usual(), "too few events");
        assert!(!flow(1_000, 28).is_usual(), "one client sends a lot");
        assert!(!flow(0, 60).is_usual(), "nothing comes");
        let night = DataFlow { events_before: vec![0, 0, 0, 0], ..flow(1, 60) };
        assert!(!night.is_usual(), "a stray event at night");
    }

    #[test]
    fn weeks_that_a_silence_has_touched_are_not_compared_with() {
        let hours = |since| SilentHours::at(start(), since, &zone()).before;
        let ago = |days: i32| Some(start() - DAY * days);
        assert_eq!(hours(None), hours(ago(6)));
        assert_eq!(hours(None).len(), 4);
        assert_eq!(hours(None)[1..], hours(ago(8))[..3]);
        let days = |since| ActiveDays::at(start(), since, &zone()).before;
        assert_eq!(days(None)[2..], days(ago(15))[..2]);
        assert_eq!(days(None)[0].weekday(), days(ago(15))[0].weekday());
        assert!(!is_new_normal(start() - DAY * 28, start()));
        assert!(is_new_normal(start() - DAY * 28 - HOUR, start()));
    }

    #[test]
    fn a_client_is_given_its_usual_gap_and_a_day_at_least_to_come_back() {
        assert_eq!(held_until(start(), None), start() + DAY);
        assert_eq!(held_until(start(), Some(1)), start() + DAY);
        assert_eq!(held_until(start(), Some(7)), start() + DAY * 7);
    }
}

mod silence {
    use super::*;

    #[test]
    fn no_activity_takes_over_an_open_inactivity_instead_of_adding_one() {
        let mut desk = Desk::new();
        desk.event();
        assert_eq!(desk.pass(HOUR * 48 - 2 * (HOUR / 60)).check(), []);
        assert_eq!(desk.pass(HOUR / 60).check(), [opened(INACTIVE)]);
        let (id, opened_at) = (desk.last().id, desk.last().opened_at);
        assert_eq!(desk.pass(HOUR * 23).check(), []);
        assert_eq!(desk.pass(HOUR).check(), [worsened(ZERO)]);
        assert_eq!(desk.episodes.len(), 1);
        assert_eq!((desk.last().id, desk.last().opened_at), (id, opened_at));
        assert_eq!(desk.pass(DAY * 30).check(), []);
    }

    #[test]
    fn no_activity_opens_by_itself_when_no_check_ran_in_time() {
        let mut desk = Desk::new();
        assert_eq!(desk.pass(DAY * 5).check(), [opened(ZERO)]);
    }

    #[test]
    fn hourly_checks_of_a_month_of_silence_report_each_step_once() {
        let mut desk = Desk::new();
        desk.facts.usual_gap_days = Some(4);
        let silent_since = desk.facts.silent_since();
        let mut told = Vec::new();
        for _ in 0..24 * 30 {
            let changes = desk.pass(HOUR).check();
            let hours = desk.now.duration_since(silent_since).as_hours();
            told.extend(changes.into_iter().map(|change| (hours, change)));
        }
        assert_eq!(told, [(48, opened(INACTIVE)), (72, worsened(ZERO)), (288, opened(CHURN))]);
        let ended = desk.pass(HOUR).event().check();
        assert_eq!(ended, [resolved(ZERO), resolved(CHURN)]);
    }

    #[test]
    fn an_event_ends_the_silence_and_the_next_one_opens_anew() {
        let mut desk = Desk::new();
        desk.pass(HOUR * 50).check();
        assert_eq!(desk.pass(HOUR).event().check(), [resolved(INACTIVE)]);
        assert_eq!(desk.last().condition_ended_at, Some(desk.now));
        assert_eq!(desk.pass(HOUR * 49).check(), [opened(INACTIVE)]);
        assert_eq!(desk.episodes.len(), 2);
    }

    #[test]
    fn a_dismissed_inactivity_stays_quiet_until_the_silence_ends() {
        let mut desk = Desk::new();
        desk.pass(HOUR * 50).check();
        desk.act(Action::Dismiss);
        for _ in 0..240 {
            assert_eq!(desk.pass(HOUR).check(), [], "also when it becomes no activity");
        }
        assert_eq!(desk.episodes.len(), 1);
        assert_eq!(desk.event().check(), [], "nobody waits for this end");
        assert_eq!(desk.last().condition_ended_at, Some(desk.now));
        assert_eq!(desk.last().status, AlertStatus::Dismissed);
        assert_eq!(desk.pass(HOUR * 48).check(), [opened(INACTIVE)]);
    }

    #[test]
    fn a_dismissed_no_activity_stays_quiet_until_the_silence_ends() {
        let mut desk = Desk::new();
        desk.pass(DAY * 4).check();
        desk.act(Action::Dismiss);
        assert_eq!(desk.pass(DAY * 30).check(), []);
        assert_eq!(desk.event().check(), []);
        assert_eq!(desk.pass(DAY * 4).check(), [opened(ZERO)]);
    }

    #[test]
    fn an_inactivity_that_a_member_resolved_returns_as_no_activity() {
        let mut desk = Desk::new();
        desk.pass(HOUR * 50).check();
        desk.act(Action::Resolve);
        assert_eq!(desk.pass(HOUR * 20).check(), []);
        assert_eq!(desk.pass(HOUR * 2).check(), [opened(ZERO)]);
        assert_eq!(desk.episodes[0].condition_ended_at, Some(desk.now));
        assert_eq!(desk.episodes.len(), 2);
    }

    #[test]
    fn a_no_activity_that_a_member_resolved_stays_quiet_while_the_silence_lasts() {
        let mut desk = Desk::new();
        desk.pass(DAY * 4).check();
        desk.act(Action::Resolve);
        assert_eq!(desk.pass(DAY * 30).check(), []);
        desk.event().check();
        assert_eq!(desk.pass(HOUR * 48).check(), [opened(INACTIVE)]);
    }

    #[test]
    fn an_event_between_two_checks_far_apart_ends_the_old_silence() {
        let mut desk = Desk::new();
        desk.pass(DAY * 4).check();
        desk.pass(DAY).event();
        assert_eq!(desk.pass(DAY * 10).check(), [resolved(ZERO), opened(ZERO)]);

        desk.act(Action::Dismiss);
        desk.pass(DAY).event();
        assert_eq!(desk.pass(DAY * 10).check(), [opened(ZERO)]);
    }

    #[test]
    fn a_late_event_that_halves_a_silence_ends_no_activity_and_opens_inactivity() {
        let mut desk = Desk::new();
        desk.pass(DAY * 5).check();
        desk.facts.last_event_at = Some(desk.now - HOUR * 50);
        assert_eq!(desk.check(), [resolved(ZERO), opened(INACTIVE)]);
    }

    #[test]
    fn a_late_event_that_leaves_the_silence_long_enough_only_changes_the_numbers() {
        let mut desk = Desk::new();
        desk.pass(DAY * 5).check();
        desk.facts.last_event_at = Some(desk.now - DAY * 4);
        let transitions = desk.check_fully();
        assert!(matches!(transitions.as_slice(), [Transition::Refreshed { .. }]));
        assert!(desk.last().message.starts_with("Quiet for 4 days"));
    }

    #[test]
    fn two_checks_at_once_may_leave_two_silences_and_the_worse_one_stays() {
        let facts = silent_for(DAY * 4);
        let early = AlertFacts { as_of: start() - DAY * 2, ..facts.clone() };
        let open = |id, facts: &AlertFacts| {
            let Condition::Met(finding) = condition(Family::Silence, facts) else {
                unreachable!("both are silent")
            };
            Episode::open(AlertId::new(Uuid::from_u128(id)), finding, facts.as_of)
        };
        let episodes = [open(1, &early), open(2, &facts)];
        assert_eq!(
            check(&episodes, &facts),
            [Transition::Resolved {
                id: episodes[0].id,
                ending: Ending::Recovered,
                reason: "Another open alert says the same.".to_owned()
            }]
        );
    }
}

mod task {
    use super::*;

    #[test]
    fn a_stalled_task_opens_once_and_ends_when_it_moves() {
        let mut desk = Desk::new();
        desk.facts.tasks_in_progress = vec![task("Import contacts", desk.now)];
        assert_eq!(desk.pass(HOUR * 71).event().check(), []);
        assert_eq!(desk.pass(HOUR).event().check(), [opened(STALLED)]);
        assert_eq!(desk.pass(DAY * 3).event().check(), []);
        desk.facts.tasks_in_progress[0].updated_at = desk.now;
        assert_eq!(desk.check(), [resolved(STALLED)]);
        assert_eq!(desk.pass(HOUR * 72).event().check(), [opened(STALLED)]);
        desk.facts.tasks_in_progress.clear();
        assert_eq!(desk.check(), [resolved(STALLED)]);
    }

    #[test]
    fn a_second_stalled_task_joins_the_open_alert() {
        let mut desk = Desk::new();
        desk.facts.tasks_in_progress =
            vec![task("b", desk.now), task("a", desk.now + HOUR), task("c", desk.now + DAY * 2)];
        desk.pass(DAY * 3).event().check();
        assert_eq!(desk.last().message, "“b” in progress, untouched for 3 days.");
        assert_eq!(desk.pass(HOUR).event().check(), []);
        assert_eq!(
            desk.last().message,
            "“b” in progress, untouched for 3 days, and 1 more task for at least 3 days."
        );
        desk.facts.tasks_in_progress.remove(0);
        assert_eq!(desk.check(), [], "the other is still stalled");
        assert_eq!(desk.last().message, "“a” in progress, untouched for 3 days.");
    }

    #[test]
    fn a_dismissed_stalled_task_stays_quiet_until_it_moves() {
        let mut desk = Desk::new();
        desk.facts.tasks_in_progress = vec![task("Import contacts", desk.now)];
        desk.pass(DAY * 3).event().check();
        desk.act(Action::Dismiss);
        assert_eq!(desk.pass(DAY * 20).event().check(), []);
        desk.facts.tasks_in_progress[0].updated_at = desk.now;
        assert_eq!(desk.check(), []);
        assert_eq!(desk.pass(DAY * 3).event().check(), [opened(STALLED)]);
    }

    #[test]
    fn the_order_in_which_tasks_are_given_does_not_matter() {
        let mut facts = well(start());
        facts.tasks_in_progress =
            vec![task("b", start() - DAY * 4), task("a", start() - DAY * 4), task("c", start())];
        let there = condition(Family::TaskStalled, &facts);
        facts.tasks_in_progress.reverse();
        assert_eq!(condition(Family::TaskStalled, &facts), there);
    }
}

mod score_drop {
    use super::*;

    #[test]
    fn a_drop_opens_worsens_in_place_and_ends_when_the_score_is_stable_again() {
        let mut desk = Desk::new();
        assert_eq!(desk.score(81, 100).check(), []);
        assert_eq!(desk.pass(DAY).event().score(80, 100).check(), [opened(DROP)]);
        assert_eq!(desk.pass(DAY).event().score(71, 100).check(), []);
        assert_eq!(desk.pass(DAY).event().score(70, 100).check(), [worsened(DEEP_DROP)]);
        assert_eq!(desk.pass(DAY).event().score(79, 100).check(), [], "never lowered while open");
        assert_eq!(desk.last().severity, Severity::Critical);
        assert!(desk.last().message.contains("100 → 79"), "but its numbers are today's");
        let transitions = desk.pass(DAY).event().score(77, 80).check_fully();
        let [Transition::Resolved { reason, .. }] = transitions.as_slice() else {
            panic!("{transitions:?}")
        };
        assert_eq!(reason, "The score is stable again: change −3.");
        assert_eq!(desk.pass(DAY).event().score(60, 80).check(), [opened(DROP),]);
        assert_eq!(desk.episodes.len(), 2);
    }

    #[test]
    fn a_fall_that_the_comparison_has_caught_up_with_fades_unless_the_client_did_something() {
        let ending = |back: bool| {
            let mut desk = Desk::new();
            assert_eq!(desk.score(39, 70).check().len(), 2);
            desk.pass(DAY * 7);
            if back {
                desk.event();
            }
            let transitions = desk.score(39, 39).check_fully();
            transitions
                .into_iter()
                .filter_map(|transition| match transition {
                    Transition::Resolved { id, ending, reason } => {
                        Some((desk.get(id).kind, ending, reason))
                    }
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        let faded = ending(false);
        assert_eq!(faded.len(), 2, "{faded:?}");
        for (kind, ending, reason) in faded {
            assert!(matches!(kind, AlertType::ScoreDrop | AlertType::ChurnRisk), "{kind}");
            assert_eq!(ending, Ending::Faded, "{kind}");
            assert_eq!(
                reason,
                "Faded, not recovered: nothing has come from the client since; the score is 39, \
                 at risk, compared with 39 on 24 Nov.",
                "{kind}"
            );
        }
        assert!(ending(true).iter().all(|(_, ending, _)| *ending == Ending::Recovered));
    }

    #[test]
    fn a_dismissed_drop_stays_quiet_however_deep_it_gets_until_it_has_ended() {
        let mut desk = Desk::new();
        desk.score(80, 100).check();
        desk.act(Action::Dismiss);
        assert_eq!(desk.pass(DAY).event().score(61, 100).check(), []);
        assert_eq!(desk.pass(DAY).event().score(90, 100).check(), []);
        assert_eq!(desk.pass(DAY).event().score(80, 100).check(), [opened(DROP)]);
    }

    #[test]
    fn a_drop_that_a_member_resolved_returns_only_when_it_is_worse() {
        let mut desk = Desk::new();
        desk.score(80, 100).check();
        desk.act(Action::Resolve);
        assert_eq!(desk.pass(DAY).event().score(75, 100).check(), []);
        assert_eq!(desk.pass(DAY).event().score(69, 100).check(), [opened(DEEP_DROP)]);
        assert_eq!(desk.episodes[0].condition_ended_at, Some(desk.now));
    }

    #[test]
    fn a_drop_ends_when_there_is_no_earlier_score_to_compare_with() {
        let mut desk = Desk::new();
        desk.score(80, 100).check();
        desk.pass(DAY).event().facts.score = Some(score(desk.now, 80, None));
        assert_eq!(desk.check(), [resolved(DROP)]);
    }
}

mod churn_risk {
    use super::*;

    #[test]
    fn falling_then_silence_worsens_one_episode_which_outlives_the_fall() {
        let mut desk = Desk::new();
        desk.facts.usual_gap_days = Some(2);
        assert_eq!(desk.score(35, 50).check(), [opened(CHURN)]);
        desk.pass(HOUR).event();
        let mut told = Vec::new();
        for _ in 0..24 * 8 {
            let changes = desk.pass(HOUR).check();
            told.extend(changes.into_iter().filter(|(_, kind, _)| *kind == CHURN.0));
        }
        assert_eq!(told, [worsened(SURE_CHURN)]);
        desk.pass(HOUR).score(35, 35);
        assert_eq!(desk.check(), [], "the silence goes on");
        let churn = || desk.episodes.iter().find(|one| one.kind == AlertType::ChurnRisk).unwrap();
        assert_eq!(churn().severity, Severity::Critical, "never lowered while open");
        assert_eq!(churn().message, "Quiet for 8 days, usual gap 2.");
        let ended = desk.pass(HOUR).event().check();
        assert_eq!(ended, [resolved(ZERO), resolved(SURE_CHURN)]);
    }

    #[test]
    fn a_dismissed_churn_risk_stays_quiet_until_it_has_ended() {
        let mut desk = Desk::new();
        desk.score(35, 50).check();
        desk.act(Action::Dismiss);
        assert_eq!(desk.pass(DAY).event().score(20, 50).check(), [opened(DEEP_DROP)]);
        assert_eq!(desk.pass(DAY).event().score(40, 45).check(), [resolved(DEEP_DROP)]);
        assert_eq!(desk.pass(DAY).event().score(39, 45).check(), [opened(CHURN)]);
    }

    #[test]
    fn a_churn_risk_that_a_member_resolved_returns_when_silence_joins_the_fall() {
        let mut desk = Desk::new();
        desk.facts.usual_gap_days = Some(1);
        desk.score(35, 50).check();
        desk.act(Action::Resolve);
        assert_eq!(desk.pass(DAY * 2).event().check(), []);
        let told = desk.pass(DAY * 7).check();
        assert_eq!(told, [opened(ZERO), opened(SURE_CHURN)]);
    }
}

mod needs_attention {
    use super::*;

    #[test]
    fn it_outlasts_the_week_in_which_previous_catches_up() {
        let mut desk = Desk::new();
        assert_eq!(desk.score(58, 65).check(), [opened(ATTENTION)]);
        assert_eq!(desk.pass(DAY * 8).event().score(57, 58).check(), []);
        assert!(desk.last().status.is_open());
        assert_eq!(desk.pass(DAY).event().score(60, 58).check(), [resolved(ATTENTION)]);
        assert_eq!(desk.pass(DAY).event().score(59, 58).check(), [], "not from above");
        assert_eq!(desk.pass(DAY).event().score(59, 60).check(), [opened(ATTENTION)]);
    }

    #[test]
    fn it_ends_when_the_score_falls_on_to_at_risk() {
        let mut desk = Desk::new();
        desk.score(45, 60).check();
        let told = desk.pass(DAY).event().score(39, 60).check();
        assert_eq!(told, [opened(DROP), opened(CHURN), resolved(ATTENTION)]);
    }

    #[test]
    fn a_dismissed_one_stays_quiet_until_the_score_has_left_the_band() {
        let mut desk = Desk::new();
        desk.score(58, 65).check();
        desk.act(Action::Dismiss);
        assert_eq!(desk.pass(DAY).event().score(50, 65).check(), []);
        assert_eq!(desk.pass(DAY).event().score(61, 65).check(), []);
        assert_eq!(desk.pass(DAY).event().score(59, 65).check(), [opened(ATTENTION)]);
    }

    #[test]
    fn one_that_a_member_resolved_stays_quiet_while_the_score_stays_in_the_band() {
        let mut desk = Desk::new();
        desk.score(58, 65).check();
        desk.act(Action::Resolve);
        assert_eq!(desk.pass(DAY * 8).event().score(58, 58).check(), []);
        assert_eq!(desk.pass(DAY).event().score(50, 62).check(), []);
        assert_eq!(desk.pass(DAY).event().score(30, 33).check(), []);
        assert_eq!(desk.pass(DAY).event().score(50, 62).check(), [opened(ATTENTION)]);
    }
}

mod members {
    use super::*;

    #[test]
    fn a_snoozed_alert_is_active_again_at_its_time_and_nobody_is_told() {
        let mut desk = Desk::new();
        desk.score(80, 100).check();
        let until = desk.now + DAY;
        desk.act(Action::Snooze { until });
        assert_eq!(desk.last().status, AlertStatus::Snoozed);
        desk.pass(DAY - MICROSECOND).event().check();
        assert_eq!(desk.last().status, AlertStatus::Snoozed);
        let transitions = desk.pass(MICROSECOND).check_fully();
        assert!(matches!(transitions.as_slice(), [Transition::SnoozeEnded { .. }]));
        assert_eq!(transitions[0].change(), None);
        assert_eq!((desk.last().status, desk.last().snoozed_until), (AlertStatus::Active, None));
    }

    #[test]
    fn a_snoozed_or_acknowledged_alert_is_active_again_when_it_gets_worse() {
        for action in [Action::Snooze { until: start() + DAY * 9 }, Action::Acknowledge] {
            let mut desk = Desk::new();
            desk.score(80, 100).check();
            desk.act(action);
            assert_eq!(desk.pass(DAY).event().score(75, 100).check(), []);
            assert_ne!(desk.last().status, AlertStatus::Active, "same severity, new numbers");
            assert_eq!(desk.pass(DAY).event().score(60, 100).check(), [worsened(DEEP_DROP)]);
            assert_eq!(desk.last().status, AlertStatus::Active);
            assert_eq!(desk.last().snoozed_until, None);
        }
    }

    #[test]
    fn a_snoozed_or_acknowledged_alert_ends_by_itself_too() {
        for action in [Action::Snooze { until: start() + DAY * 9 }, Action::Acknowledge] {
            let mut desk = Desk::new();
            desk.score(80, 100).check();
            desk.act(action);
            assert_eq!(desk.pass(DAY).event().score(95, 100).check(), [resolved(DROP)]);
            assert_eq!(desk.last().snoozed_until, None);
        }
    }

    fn episode(status: AlertStatus) -> Episode {
        let finding = Finding {
            kind: AlertType::Inactivity,
            severity: Severity::Warning,
            message: String::new(),
            figures: serde_json::Map::new(),
        };
        let mut episode = Episode::open(AlertId::new(Uuid::nil()), finding, start());
        episode.status = status;
        episode
    }

    #[test]
    fn every_action_works_on_every_open_alert_and_on_no_ended_one() {
        let actions = [
            (Action::Acknowledge, AlertStatus::Acknowledged),
            (Action::Snooze { until: start() + DAY }, AlertStatus::Snoozed),
            (Action::Resolve, AlertStatus::Resolved),
            (Action::Dismiss, AlertStatus::Dismissed),
        ];
        for (action, expected) in actions {
            for status in AlertStatus::ALL {
                let result = apply_action(&episode(*status), action, start());
                if status.is_open() {
                    assert_eq!(result.unwrap().status, expected, "{action:?} on {status}");
                } else {
                    assert_eq!(result, Err(ActionError::NotOpen { status: *status }));
                }
            }
        }
    }

    #[test]
    fn acknowledging_twice_changes_nothing() {
        let mut once = episode(AlertStatus::Active);
        once.set(apply_action(&once, Action::Acknowledge, start()).unwrap());
        let mut twice = once.clone();
        twice.set(apply_action(&twice, Action::Acknowledge, start() + HOUR).unwrap());
        assert_eq!(once, twice);
    }

    #[test]
    fn acknowledging_a_snoozed_alert_ends_the_snooze() {
        let mut one = episode(AlertStatus::Active);
        one.set(apply_action(&one, Action::Snooze { until: start() + DAY }, start()).unwrap());
        one.set(apply_action(&one, Action::Acknowledge, start()).unwrap());
        assert_eq!((one.status, one.snoozed_until), (AlertStatus::Acknowledged, None));
    }

    #[test]
    fn a_snooze_ends_after_now_and_within_90_days() {
        let one = episode(AlertStatus::Active);
        let snooze = |until| apply_action(&one, Action::Snooze { until }, start());
        assert!(matches!(snooze(start()), Err(ActionError::SnoozePast { .. })));
        assert!(matches!(snooze(start() - HOUR), Err(ActionError::SnoozePast { .. })));
        assert!(snooze(start() + MICROSECOND).is_ok());
        assert!(snooze(start() + MAX_SNOOZE).is_ok());
        assert!(matches!(
            snooze(start() + MAX_SNOOZE + MICROSECOND),
            Err(ActionError::SnoozeTooLong { .. })
        ));
        assert!(matches!(snooze(Timestamp::MAX), Err(ActionError::SnoozeTooLong { .. })));
    }

    #[test]
    fn what_a_member_did_can_be_taken_back_while_the_condition_lasts() {
        for action in [Action::Resolve, Action::Dismiss, Action::Acknowledge] {
            let mut desk = Desk::new();
            desk.pass(DAY * 4).check();
            let before = desk.last().clone();
            desk.act(action);
            let state = apply_action(desk.last(), Action::Reopen, desk.now).unwrap();
            desk.episodes[0].set(state);
            assert_eq!(*desk.last(), before, "{action:?}");
            assert_eq!(desk.check(), [], "{action:?}");
        }
        let mut desk = Desk::new();
        desk.pass(DAY * 4).check();
        desk.act(Action::Dismiss);
        desk.event().check();
        assert_eq!(
            apply_action(desk.last(), Action::Reopen, desk.now),
            Err(ActionError::ConditionEnded)
        );
    }

    #[test]
    fn a_snooze_can_be_ended_before_its_time() {
        let mut desk = Desk::new();
        desk.pass(DAY * 4).check();
        desk.act(Action::Snooze { until: desk.now + DAY });
        let woken = apply_action(desk.last(), Action::Reopen, desk.now).unwrap();
        assert_eq!((woken.status, woken.snoozed_until), (AlertStatus::Active, None));
    }

    #[test]
    fn a_refusal_says_what_the_alert_is_and_what_to_do() {
        let one = episode(AlertStatus::Active);
        let refusals = [
            apply_action(&episode(AlertStatus::Resolved), Action::Resolve, start()),
            apply_action(&episode(AlertStatus::Dismissed), Action::Dismiss, start()),
            apply_action(&one, Action::Snooze { until: start() - HOUR }, start()),
            apply_action(&one, Action::Snooze { until: start() + DAY * 91 }, start()),
        ]
        .map(|result| {
            let refusal = result.unwrap_err();
            format!("{}: {refusal}", refusal.field().unwrap_or("its state"))
        })
        .join("\n");
        insta::assert_snapshot!(refusals, @r#"
        its state: this alert is already resolved: only an open one can be changed; reopen it first, or wait for a new one, which opens when its condition returns
        its state: this alert is already dismissed: only an open one can be changed; reopen it first, or wait for a new one, which opens when its condition returns
        until: 2026-11-24T07:40:00Z is not after now (2026-11-24T08:40:00Z); send a time in the next 90 days
        until: 2027-02-23T08:40:00Z is more than 90 days ahead; the latest is 2027-02-22T08:40:00Z, or dismiss the alert to keep it quiet until its condition ends
        "#);
    }

    #[test]
    fn a_transition_of_another_episode_changes_nothing() {
        let mut one = episode(AlertStatus::Active);
        let before = one.clone();
        let id = AlertId::new(Uuid::from_u128(9));
        one.apply(
            Transition::Resolved { id, ending: Ending::Recovered, reason: String::new() },
            start(),
        );
        one.apply(Transition::ConditionEnded { id }, start());
        assert_eq!(one, before);
    }
}

#[test]
fn names_are_read_as_they_are_written_and_a_wrong_one_is_answered_with_the_right_ones() {
    for kind in AlertType::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    for status in AlertStatus::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
    }
    assert_eq!(
        "terrible".parse::<Severity>().unwrap_err().to_string(),
        "unknown severity \"terrible\": use one of info, warning, critical"
    );
    assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Critical);
}

/// A client that is silent for so long, with its usual gap known.
fn quiet(usual_gap_days: i32, silence: SignedDuration) -> AlertFacts {
    AlertFacts { usual_gap_days: Some(usual_gap_days), ..silent_for(silence) }
}

/// A client that was created so long ago and never came.
fn never_here(silence: SignedDuration) -> AlertFacts {
    AlertFacts { created_at: start() - silence, last_event_at: None, ..well(start()) }
}

/// A client whose score fell, with what moved it.
fn fallen(overall: i64, previous: i64) -> AlertFacts {
    let moved = [(Component::Engagement, -1700), (Component::Momentum, -900)]
        .map(|(component, hundredths)| ComponentChange { component, hundredths })
        .to_vec();
    let score = ScoreFacts { moved, ..score(start(), overall, Some(previous)) };
    AlertFacts { score: Some(score), ..well(start()) }
}

/// A client with tasks in progress that were touched so many days ago.
fn untouched(days: &[i32]) -> AlertFacts {
    let tasks_in_progress =
        days.iter().map(|days| task("Import catalogue", start() - DAY * *days)).collect();
    AlertFacts { tasks_in_progress, ..well(start()) }
}

#[test]
fn an_alert_names_its_numbers() {
    let quiet_and_falling = AlertFacts { score: fallen(31, 40).score, ..quiet(4, DAY * 23 + HOUR) };
    let found = [
        ("inactive", Family::Silence, silent_for(HOUR * 51)),
        ("inactive, gap known", Family::Silence, quiet(1, HOUR * 51)),
        ("inactive, never here", Family::Silence, never_here(HOUR * 51)),
        ("no activity", Family::Silence, silent_for(DAY * 6 + HOUR * 23)),
        ("no activity, gap known", Family::Silence, quiet(1, DAY * 6)),
        ("no activity, long ago", Family::Silence, silent_for(DAY * 400)),
        ("no activity, never here", Family::Silence, never_here(DAY * 13)),
        ("one task", Family::TaskStalled, untouched(&[10])),
        ("two tasks", Family::TaskStalled, untouched(&[1, 10, 3])),
        ("three tasks", Family::TaskStalled, untouched(&[4, 10, 3])),
        ("drop", Family::ScoreDrop, fallen(37, 63)),
        ("drop, parts unknown", Family::ScoreDrop, scored(37, Some(63))),
        ("quiet for long", Family::ChurnRisk, quiet(4, DAY * 23)),
        ("falling", Family::ChurnRisk, fallen(31, 40)),
        ("quiet and falling", Family::ChurnRisk, quiet_and_falling),
        ("entered", Family::NeedsAttention, fallen(44, 61)),
        ("still there", Family::NeedsAttention, scored(45, Some(48))),
        ("there from the start", Family::NeedsAttention, scored(45, None)),
    ];
    let sentences = found.map(|(name, family, facts)| {
        let condition = condition(family, &facts);
        let Finding { message, figures, .. } = condition.finding().unwrap();
        format!("{name}: {message}\n    {}", serde_json::to_string(figures).unwrap())
    });
    insta::assert_snapshot!(sentences.join("\n"), @r#"
    inactive: Quiet for 51 hours. Last event Sun 22 Nov, 06:40.
        {"last_event_at":"2026-11-22T05:40:00Z","quiet_hours":51,"quiet_since":"2026-11-22T05:40:00Z","usual_gap_days":null}
    inactive, gap known: Quiet for 51 hours, usual gap 1 day. Last event Sun 22 Nov, 06:40.
        {"last_event_at":"2026-11-22T05:40:00Z","quiet_hours":51,"quiet_since":"2026-11-22T05:40:00Z","usual_gap_days":1}
    inactive, never here: No event in the 51 hours since it was created.
        {"last_event_at":null,"quiet_hours":51,"quiet_since":"2026-11-22T05:40:00Z","usual_gap_days":null}
    no activity: Quiet for 6 days. Last event Tue 17 Nov, 10:40.
        {"last_event_at":"2026-11-17T09:40:00Z","quiet_days":6,"quiet_since":"2026-11-17T09:40:00Z","usual_gap_days":null}
    no activity, gap known: Quiet for 6 days, usual gap 1. Last event Wed 18 Nov, 09:40.
        {"last_event_at":"2026-11-18T08:40:00Z","quiet_days":6,"quiet_since":"2026-11-18T08:40:00Z","usual_gap_days":1}
    no activity, long ago: Quiet for 400 days. Last event Mon 20 Oct 2025, 10:40.
        {"last_event_at":"2025-10-20T08:40:00Z","quiet_days":400,"quiet_since":"2025-10-20T08:40:00Z","usual_gap_days":null}
    no activity, never here: No event in the 13 days since it was created.
        {"last_event_at":null,"quiet_days":13,"quiet_since":"2026-11-11T08:40:00Z","usual_gap_days":null}
    one task: “Import catalogue” in progress, untouched for 10 days.
        {"stalled":1,"title":"Import catalogue","untouched_days":10,"untouched_since":"2026-11-14T08:40:00Z"}
    two tasks: “Import catalogue” in progress, untouched for 10 days, and 1 more task for at least 3 days.
        {"stalled":2,"title":"Import catalogue","untouched_days":10,"untouched_since":"2026-11-14T08:40:00Z"}
    three tasks: “Import catalogue” in progress, untouched for 10 days, and 2 more tasks for at least 3 days.
        {"stalled":3,"title":"Import catalogue","untouched_days":10,"untouched_since":"2026-11-14T08:40:00Z"}
    drop: Score fell 26, 63 → 37 in 7 days: engagement −17.00, momentum −9.00.
        {"change":-26,"moved":[{"component":"engagement","hundredths":-1700},{"component":"momentum","hundredths":-900}],"overall":37,"previous":63,"previous_as_of":"2026-11-17T08:40:00Z","trend":"declining"}
    drop, parts unknown: Score fell 26, 63 → 37 in 7 days.
        {"change":-26,"moved":[],"overall":37,"previous":63,"previous_as_of":"2026-11-17T08:40:00Z","trend":"declining"}
    quiet for long: Quiet for 23 days, usual gap 4.
        {"last_event_at":"2026-11-01T08:40:00Z","quiet_days":23,"quiet_since":"2026-11-01T08:40:00Z","usual_gap_days":4}
    falling: At risk and declining: 40 → 31 in 7 days, engagement −17.00, momentum −9.00.
        {"change":-9,"moved":[{"component":"engagement","hundredths":-1700},{"component":"momentum","hundredths":-900}],"overall":31,"previous":40,"previous_as_of":"2026-11-17T08:40:00Z","trend":"declining"}
    quiet and falling: Quiet for 23 days, usual gap 4, and at risk and declining: 40 → 31 in 7 days, engagement −17.00, momentum −9.00.
        {"change":-9,"last_event_at":"2026-11-01T07:40:00Z","moved":[{"component":"engagement","hundredths":-1700},{"component":"momentum","hundredths":-900}],"overall":31,"previous":40,"previous_as_of":"2026-11-17T08:40:00Z","quiet_days":23,"quiet_since":"2026-11-01T07:40:00Z","trend":"declining","usual_gap_days":4}
    entered: Entered 40–59 from 61, now 44: engagement −17.00, momentum −9.00.
        {"change":-17,"moved":[{"component":"engagement","hundredths":-1700},{"component":"momentum","hundredths":-900}],"overall":44,"previous":61,"previous_as_of":"2026-11-17T08:40:00Z","trend":"declining"}
    still there: Still in 40–59: 45, it was 48 on 17 Nov.
        {"change":-3,"moved":[],"overall":45,"previous":48,"previous_as_of":"2026-11-17T08:40:00Z","trend":"stable"}
    there from the start: In 40–59: 45.
        {"change":null,"moved":[],"overall":45,"previous":null,"previous_as_of":null,"trend":"stable"}
    "#);
}

#[test]
fn an_alert_that_ends_by_itself_says_why() {
    let back = AlertFacts { last_event_at: Some(start() - HOUR), ..well(start()) };
    let ended = [
        ("active again", AlertType::ZeroActivity, back),
        ("created later than thought", AlertType::Inactivity, never_here(HOUR)),
        ("tasks moved", AlertType::TaskStalled, untouched(&[1])),
        ("stable", AlertType::ScoreDrop, scored(60, Some(63))),
        ("rising", AlertType::ScoreDrop, scored(69, Some(63))),
        ("falling less", AlertType::ScoreDrop, scored(44, Some(63))),
        ("nothing to compare with", AlertType::ScoreDrop, scored(44, None)),
        ("no score", AlertType::ScoreDrop, well(start())),
        ("safe", AlertType::ChurnRisk, scored(45, Some(44))),
        ("no score, never here", AlertType::ChurnRisk, never_here(HOUR)),
        ("recovered", AlertType::NeedsAttention, scored(64, Some(58))),
        ("worse", AlertType::NeedsAttention, scored(35, Some(58))),
        ("no score", AlertType::NeedsAttention, well(start())),
    ];
    let sentences = ended.map(|(name, kind, facts)| {
        let finding = Finding {
            kind,
            severity: Severity::Warning,
            message: String::new(),
            figures: serde_json::Map::new(),
        };
        let episode = Episode::open(AlertId::new(Uuid::nil()), finding, start() - DAY);
        let transitions = check(&[episode], &facts);
        let reason = transitions.iter().find_map(|transition| match transition {
            Transition::Resolved { reason, .. } => Some(reason),
            _ => None,
        });
        format!("{kind}, {name}: {}", reason.unwrap())
    });
    insta::assert_snapshot!(sentences.join("\n"), @r#"
    zero_activity, active again: Active again: last event Tue 24 Nov, 08:40.
    inactivity, created later than thought: Silence counts from its creation, Tue 24 Nov, 08:40.
    task_stalled, tasks moved: No task in progress has been untouched for 3 days.
    score_drop, stable: The score is stable again: change −3.
    score_drop, rising: The score is rising again: change +6.
    score_drop, falling less: The fall is less than 20 now: change −19.
    score_drop, nothing to compare with: There is no earlier score to compare the 44 with.
    score_drop, no score: There is no score to judge by any more.
    churn_risk, safe: No longer a churn risk: score 45, needs attention, stable; last event Tue 24 Nov, 09:39.
    churn_risk, no score, never here: No longer a churn risk: no score yet.
    needs_attention, recovered: Left 40–59: the score is 64, good.
    needs_attention, worse: Fell below 40–59: the score is 35, at risk.
    needs_attention, no score: There is no score to judge by any more.
    "#);
}

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Event { minutes_ago: i64 },
    Tasks(Vec<i64>),
    Score(i64, i64),
    NoScore,
    UsualGap(Option<i32>),
    Act(usize, Action),
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop_oneof![
        Just(Action::Acknowledge),
        Just(Action::Resolve),
        Just(Action::Dismiss),
        Just(Action::Reopen),
        (1_i32..400).prop_map(|hours| Action::Snooze { until: start() + HOUR * hours }),
    ];
    prop_oneof![
        3 => (0_i64..60 * 24 * 4).prop_map(Step::Pass),
        2 => (0_i64..60 * 24 * 9).prop_map(|minutes_ago| Step::Event { minutes_ago }),
        1 => proptest::collection::vec(0_i64..200, 0..3).prop_map(Step::Tasks),
        2 => (0_i64..=100, 0_i64..=100).prop_map(|(now, before)| Step::Score(now, before)),
        1 => Just(Step::NoScore),
        1 => proptest::option::of(1_i32..5).prop_map(Step::UsualGap),
        4 => (0_usize..8, action).prop_map(|(index, action)| Step::Act(index, action)),
    ]
}

proptest! {
    /// `Desk::check_fully` asserts after every single transition that no family has two open or
    /// live episodes, and after every check that a second one finds nothing.
    #[test]
    fn whatever_happens_a_family_has_one_open_episode_and_checking_twice_changes_nothing(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut desk = Desk::new();
        for step in steps {
            match step {
                Step::Pass(minutes) => {
                    desk.pass(SignedDuration::from_mins(minutes));
                }
                Step::Event { minutes_ago } => {
                    let at = desk.now - SignedDuration::from_mins(minutes_ago) - MICROSECOND;
                    desk.facts.last_event_at = desk.facts.last_event_at.max(Some(at));
                }
                Step::Tasks(hours) => {
                    desk.facts.tasks_in_progress = hours
                        .into_iter()
                        .map(|hours| task("t", desk.now - SignedDuration::from_hours(hours)))
                        .collect();
                }
                Step::Score(overall, previous) => {
                    desk.score(overall, previous);
                }
                Step::NoScore => desk.facts.score = None,
                Step::UsualGap(gap) => desk.facts.usual_gap_days = gap,
                Step::Act(index, action) => {
                    let count = desk.episodes.len();
                    if count > 0 {
                        let now = desk.now;
                        let one = &mut desk.episodes[index % count];
                        let open = one.status.is_open();
                        let result = apply_action(one, action, now);
                        let possible = open || (action == Action::Reopen && one.is_live());
                        prop_assert!(possible || result.is_err());
                        if let Ok(state) = result {
                            one.set(state);
                        }
                    }
                }
            }
            let before = desk.episodes.clone();
            desk.check_fully();
            for old in before.iter().filter(|old| old.status.is_open()) {
                let new = desk.episodes.iter().find(|new| new.id == old.id).unwrap();
                prop_assert!(new.severity >= old.severity);
            }
            for one in &desk.episodes {
                let ended = one.condition_ended_at.is_some();
                prop_assert!(!(ended && one.status.is_open()), "an ended episode is not open");
                prop_assert_eq!(one.snoozed_until.is_some(), one.status == AlertStatus::Snoozed);
            }
        }
    }
}
