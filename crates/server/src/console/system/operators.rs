//! Operators: added, given another role, linked to a person, a new password, ended.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use offgate_core::command::{Command, Freshness};
use offgate_core::decide::may_sign_in;
use offgate_core::id::{CommandId, OperatorId, UserId};
use offgate_core::operator::{Operator, OperatorState, Role};
use offgate_core::parameters::Revision;
use offgate_core::records::Records as _;
use offgate_core::text::{Email, Title};
use offgate_core::user::UserRecord;
use offgate_store::sign_in::LinkPurpose;

use super::ShownOnce;
use crate::console::Console;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::one_time_link;
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::{SignInAge, SignedIn};
use crate::console::words::sentence;

/// How long a link for a new password works.
const LINK_LIFE: Duration = Duration::from_secs(24 * 3600);

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/system/operators/new", get(ask).post(create))
        .route("/system/operators/{operator}", get(one))
        .route("/system/operators/{operator}/{act}", post(act))
}

/// An operator as pages show it.
pub(super) struct OperatorRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) role: &'static str,
    pub(super) label: &'static str,
    pub(super) tone: &'static str,
    /// The person they are: id and name.
    pub(super) person: Option<(String, String)>,
}

fn row(console: &Console, operator: &Operator) -> Result<OperatorRow, Failure> {
    let reader = console.store.read();
    let person = match operator.user {
        None => None,
        Some(user) => match reader.user(user)? {
            Some(UserRecord::Present(person)) => {
                Some((user.to_string(), person.profile.full_name()))
            }
            Some(UserRecord::Removed(_)) | None => {
                Some((user.to_string(), "A removed person".to_owned()))
            }
        },
    };
    let (label, tone) = match operator.state {
        OperatorState::Ended { .. } => ("Ended", "deactivated"),
        OperatorState::Open if !may_sign_in(&reader, operator)? => {
            ("Stopped with the person", "deactivated")
        }
        OperatorState::Open if operator.password.is_none() => ("No password yet", "waiting"),
        OperatorState::Open => ("Can sign in", "active"),
    };
    Ok(OperatorRow {
        id: operator.id.to_string(),
        name: operator.name.as_str().to_owned(),
        email: operator.email.as_str().to_owned(),
        role: operator.role.name(),
        label,
        tone,
        person,
    })
}

/// Every operator, those who can sign in first, then by name.
pub(super) fn rows(console: &Console) -> Result<Vec<OperatorRow>, Failure> {
    let mut operators = console.store.read().operators()?;
    operators.sort_by(|one, other| {
        let ended = |operator: &Operator| operator.state != OperatorState::Open;
        (ended(one), one.name.as_str()).cmp(&(ended(other), other.name.as_str()))
    });
    operators
        .iter()
        .map(|operator| row(console, operator))
        .collect()
}

#[derive(Template)]
#[template(path = "system/operator_new.html")]
struct NewOperator {
    frame: Frame,
    form: Form,
    problems: Problems,
    roles: [Role; 4],
}

fn again(next: &str) -> Response {
    Redirect::to(&format!("/sign-in/again?next={next}")).into_response()
}

async fn ask(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Failure> {
    if signed_in.age(console.clock.now()) == SignInAge::Stale {
        return Ok(again("/system/operators/new"));
    }
    let mut form = Form::default();
    form.set("role", Role::Guard.name());
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    page(&NewOperator {
        frame: signed_in.frame(&console, Section::System)?,
        form,
        problems: Problems::default(),
        roles: Role::ALL,
    })
}

async fn create(
    State(console): State<Console>,
    signed_in: SignedIn,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    let mut problems = Problems::default();
    let name = problems.take("name", Title::parse(form.text("name")));
    let email = problems.take("email", Email::parse(form.text("email")));
    let role = Role::from_name(form.text("role"));
    if role.is_none() {
        problems.add("role", "choose one of these");
    }
    if let (Some(name), Some(email), Some(role)) = (name, email, role) {
        let operator = Operator {
            id: OperatorId::random(&*console.randomness),
            revision: Revision::ZERO,
            name,
            email,
            role,
            user: None,
            password: None,
            state: OperatorState::Open,
        };
        let made = operator.clone();
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, Command::CreateOperator(operator)).await? {
            Executed::Done => return link(&console, &signed_in, &headers, &made).await,
            Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
            Executed::SignInAgain => return Ok(again("/system/operators/new")),
        }
    }
    let shown = NewOperator {
        frame: signed_in.frame(&console, Section::System)?,
        form,
        problems,
        roles: Role::ALL,
    };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(shown.render()?)).into_response())
}

/// Makes a link for a password and shows it, once.
async fn link(
    console: &Console,
    signed_in: &SignedIn,
    headers: &HeaderMap,
    operator: &Operator,
) -> Result<Response, Failure> {
    // The same form sent twice made one operator; the link is for whoever has the address.
    let found = console.store.read().operator_by_email(&operator.email)?;
    let operator = found.as_ref().unwrap_or(operator);
    let secret = one_time_link(
        &console.store,
        &*console.clock,
        &*console.randomness,
        LinkPurpose::Reset(operator.id),
        LINK_LIFE,
    )
    .await?;
    page(&ShownOnce {
        frame: signed_in.frame(console, Section::System)?,
        heading: format!("A link for {}", operator.name.as_str()),
        words:
            "Hand this on. Whoever opens it chooses the password; it works once, for a day, and \
                is not shown again."
                .to_owned(),
        secret: format!("{}/start/{secret}", origin(headers)),
        after: "A new link can be made on the operator’s page at any time.".to_owned(),
    })
}

/// How this browser reaches the console; the form itself was sent to it.
fn origin(headers: &HeaderMap) -> &str {
    headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok())
        .unwrap_or_default()
}

#[derive(Template)]
#[template(path = "system/operator.html")]
struct OneOperator {
    frame: Frame,
    row: OperatorRow,
    roles: [Role; 4],
    command: String,
    problems: Problems,
    linked: String,
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    operator: &Operator,
    linked: Option<&str>,
    problems: Problems,
) -> Result<OneOperator, Failure> {
    let row = row(console, operator)?;
    let known = row.person.as_ref().map(|(_, name)| name.clone());
    Ok(OneOperator {
        frame: signed_in.frame(console, Section::System)?,
        linked: linked.map_or_else(|| known.unwrap_or_default(), str::to_owned),
        row,
        roles: Role::ALL,
        command: CommandId::random(&*console.randomness).to_string(),
        problems,
    })
}

fn find(console: &Console, operator: &str) -> Result<Operator, Failure> {
    let id = operator.parse().map_err(|_| Failure::NotFound)?;
    let found = console.store.read().operator(id)?;
    found.ok_or(Failure::NotFound)
}

async fn one(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(operator): Path<String>,
) -> Result<Response, Failure> {
    let operator = find(&console, &operator)?;
    page(&draw(
        &console,
        &signed_in,
        &operator,
        None,
        Problems::default(),
    )?)
}

async fn act(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path((operator, act)): Path<(String, String)>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    let operator = find(&console, &operator)?;
    let mut problems = Problems::default();
    let asked = match act.as_str() {
        "role" => Role::from_name(form.text("role"))
            .map(|role| (Command::ChangeRole(operator.id, role), "role")),
        "person" => person(&console, form.text("person"), &mut problems)?
            .map(|person| (Command::LinkOperator(operator.id, person), "linked")),
        "end" => Some((Command::EndOperator(operator.id), "ended")),
        "password" => return password(&console, &signed_in, &headers, &operator).await,
        _ => return Err(Failure::NotFound),
    };
    if let Some((command, done)) = asked {
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, command).await? {
            Executed::Done => {
                return Ok(Redirect::to(&format!("/system?done={done}")).into_response());
            }
            Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
            Executed::SignInAgain => {
                return Ok(again(&format!("/system/operators/{}", operator.id)));
            }
        }
    } else if problems.is_empty() {
        problems.add("", "choose one of these");
    }
    let typed = (act == "person").then(|| form.text("person"));
    let shown = draw(&console, &signed_in, &operator, typed, problems)?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(shown.render()?)).into_response())
}

/// The one person with this name, e-mail or number; nobody when the field is empty.
fn person(
    console: &Console,
    typed: &str,
    problems: &mut Problems,
) -> Result<Option<Option<UserId>>, Failure> {
    use offgate_store::users::{UserFilter, UserOrder, UserQuery};
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(Some(None));
    }
    let query = UserQuery {
        filter: UserFilter::All,
        search: Some(typed.to_owned()),
        order: UserOrder::Name,
        from: None,
        limit: 2,
    };
    let found = console.store.read().users(&query, console.clock.now())?;
    match found.rows.as_slice() {
        [one] => Ok(Some(Some(one.user.id))),
        [] => {
            problems.add("person", "nobody is found by this");
            Ok(None)
        }
        _ => {
            problems.add(
                "person",
                "several people are found by this; type the e-mail or number",
            );
            Ok(None)
        }
    }
}

/// A link for a new password is a password: the same rules, judged by the same rule.
async fn password(
    console: &Console,
    signed_in: &SignedIn,
    headers: &HeaderMap,
    operator: &Operator,
) -> Result<Response, Failure> {
    // Judged without being carried out: the password itself is chosen by whoever opens the link.
    let command = Command::SetPassword(
        operator.id,
        offgate_core::operator::PasswordHash::from_phc(String::new()),
    );
    if command.freshness() == Freshness::Recent
        && signed_in.age(console.clock.now()) == SignInAge::Stale
    {
        return Ok(again(&format!("/system/operators/{}", operator.id)));
    }
    let actor = offgate_core::actor::Actor::Operator(signed_in.operator.id);
    let reader = console.store.read();
    match offgate_core::decide(&reader, actor, &command, console.clock.now())? {
        offgate_core::Decision::Accepted(_) => link(console, signed_in, headers, operator).await,
        offgate_core::Decision::Refused(refusal, _) => {
            Err(Failure::NotAllowed(sentence(&refusal.to_string())))
        }
    }
}
