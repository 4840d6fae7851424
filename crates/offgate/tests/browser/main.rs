//! The console in a real browser, over a real demo: the seven steps, Create, without scripts, by
//! keyboard, on a phone, and what a machine can say of accessibility.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod guide;
mod support;

use serde_json::Value;

use crate::support::{Browser, Demo, Scripts};

/// Of the demo: an engineer with a PIN and a card.
const PERSON: &str = "Amara Okafor";
const PIN: [&str; 2] = ["--pin", "863916"];
const CARD: [&str; 2] = ["--nfc", "045014EF5ED720"];

/// The seven steps, as anybody with a mouse walks them.
#[tokio::test]
async fn the_seven_steps() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::On).await;
    browser.sign_in(&demo).await;
    assert_eq!(demo.present("entrance", "Front door", PIN), "granted");
    browser.picture("today").await;

    browser.follow("Users").await;
    browser.heading("Users").await;
    browser.picture("users").await;
    browser.follow(PERSON).await;
    browser.heading(PERSON).await;
    // How many depends on the hour: one of the doors has hours.
    browser.words("Can open ").await;
    browser.picture("profile").await;
    browser.follow("Settings").await;
    browser.heading(&format!("Settings of {PERSON}")).await;
    browser.picture("settings").await;

    // The confirmation opens over the page, says what will happen, and can be left.
    browser.follow("Deactivate").await;
    browser.heading(&format!("Deactivate {PERSON}?")).await;
    assert_eq!(browser.focus().await, format!("Deactivate {PERSON}?"));
    browser
        .words("PIN and card ··D720 stop at 4 doors. Ways out stay free.")
        .await;
    browser.picture("deactivate").await;
    browser.follow("Keep active").await;
    assert_eq!(demo.present("entrance", "Front door", PIN), "granted");
    browser.follow("Deactivate").await;
    browser.heading(&format!("Deactivate {PERSON}?")).await;
    browser.press("Deactivate user").await;
    browser.heading(PERSON).await;
    let said = browser.words("Confirmed by 4 of 4 doors").await;
    assert!(said.contains("the last at"), "{said}");
    browser.picture("deactivated").await;
    assert_eq!(
        demo.present("entrance", "Front door", PIN),
        "refused: deactivated"
    );
    assert_eq!(
        demo.present("server-room", "Server room", CARD),
        "refused: deactivated"
    );

    browser.follow("Reactivate").await;
    browser.heading(&format!("Reactivate {PERSON}?")).await;
    browser.press("Reactivate user").await;
    browser
        .words("Reactivated. Each door opens for them again once it has confirmed")
        .await;
    demo.present_until("entrance", "Front door", PIN, "granted");

    browser.follow("Settings").await;
    browser.follow("Deactivate").await;
    browser.press("Deactivate user").await;
    browser.words("Confirmed by 4 of 4 doors").await;
    browser.follow("Remove").await;
    browser.heading(&format!("Remove {PERSON}?")).await;
    browser.picture("remove").await;
    browser.fill("Type the name to confirm", "Amara").await;
    browser.press("Remove permanently").await;
    browser.words("There is a problem").await;
    browser
        .fill("Type the name to confirm", "amara OKAFOR")
        .await;
    let profile = browser.path().await.replace("/remove", "");
    browser.press("Remove permanently").await;
    browser.words("The person was removed").await;
    browser.go(&profile).await;
    browser.heading("This person was removed").await;
    assert_eq!(
        demo.present("entrance", "Front door", PIN),
        "refused: unknown"
    );
}

/// A door loses its connection, not its life: the console names it and the moment until which it
/// may still open, and says "confirmed" when it is back and has said so.
#[tokio::test]
async fn a_door_that_is_cut_off_is_named_until_it_returns() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::On).await;
    browser.sign_in(&demo).await;
    browser.go("/demo/doors").await;
    browser.press_at("Server room", "Cut this door off").await;
    browser.press_at("Server room", "Reconnect").await;
    browser.press_at("Server room", "Cut this door off").await;
    browser.picture("demo-cut").await;
    // As somebody standing at a door that hears the server meets it.
    browser.fill("Its digits or letters", PIN[1]).await;
    browser.press_at("Front door", "Present").await;
    browser.words("Green light").await;
    browser.fill("Its digits or letters", "000000").await;
    browser.press_at("Front door", "Present").await;
    browser.words("Red light").await;
    browser.go("/doors").await;
    browser.words("Has not answered since").await;
    browser.picture("doors-cut").await;
    browser.go("/users?q=okafor").await;
    browser.follow(PERSON).await;
    browser.follow("Settings").await;
    browser.follow("Deactivate").await;
    browser
        .words("PIN and card ··D720 stop at 4 doors. Server room has not answered since")
        .await;
    browser.press("Deactivate user").await;
    let said = browser
        .words("Confirmed by 3 of 4 doors. Server room has not answered since")
        .await;
    assert!(said.contains("may still open for them until"), "{said}");
    // Nothing else on the page claims more than the door has said.
    browser
        .words("It has not confirmed the latest change; then it refuses.")
        .await;
    assert_eq!(browser.badge().await.as_deref(), Some("1"));
    browser.size(320, 700).await;
    let wide = "return document.documentElement.scrollWidth - window.innerWidth;";
    assert_eq!(browser.ask(wide).await.as_i64(), Some(0), "it fits");
    browser.size(1280, 900).await;
    browser.picture("cut-off").await;
    // Both are true at this moment, and the page says both.
    assert_eq!(
        demo.present("entrance", "Front door", PIN),
        "refused: deactivated"
    );
    assert_eq!(demo.present("server-room", "Server room", CARD), "granted");
    let profile = browser.path().await;
    browser.go("/").await;
    browser
        .words("Confirmed by 3 of 4 doors. Server room has not")
        .await;
    browser.go(&format!("{profile}/remove")).await;
    browser.fill("Type the name to confirm", PERSON).await;
    browser.press("Remove permanently").await;
    browser
        .words("1 door still to confirm; wait, or an owner gives a reason here")
        .await;
    browser.go(&profile).await;
    browser.words("Confirmed by 3 of 4 doors").await;
    browser.ask(KEEP).await;
    browser.words("Confirmed by 4 of 4 doors").await;
    assert_eq!(browser.ask(KEPT).await, "Remove", "the page took it away");
    browser.until_badge(None).await;
    demo.present_until("server-room", "Server room", CARD, "refused: deactivated");
    // What the door saw while it was alone is told now.
    browser.go("/activity?kind=doors").await;
    browser.words("(card) opened").await;
}

/// Goes to a link on the page, and reconnects the server room without leaving it.
const KEEP: &str = "window.kept = document.querySelector('a[href$=\"/remove\"]'); \
    window.kept.focus(); \
    fetch('/demo/doors/3/wire', { method: 'POST', body: new URLSearchParams({ wire: 'whole' }) });";
/// That link, if what the page has been told since has left it alone.
const KEPT: &str =
    "return document.activeElement === window.kept ? window.kept.textContent : null;";

/// Brings a list up to date by which one link has come to lead elsewhere and another is called
/// something else; says what became of the two elements.
const UPDATE: &str = "const answer = arguments[arguments.length - 1]; \
    const live = document.querySelector('script[src$=\"/live.js\"]').src; \
    import(new URL('html.js', live)).then(({ parse, replaceContent }) => { \
      const put = (text) => replaceContent(list, parse(text).body.childNodes); \
      const list = document.createElement('ul'); \
      put('<li><a href=\"/a\">A</a></li><li><a href=\"/b\">B</a></li>'); \
      const [a, b] = list.querySelectorAll('a'); \
      put('<li><a href=\"/c\">C</a></li><li><a href=\"/b\">Bea</a></li>'); \
      answer([list.contains(a), a.pathname, list.contains(b), b.textContent]); \
    }, (error) => answer(String(error)));";

/// Whoever presses a link while a part of the page changes gets what they pressed, or nothing.
#[tokio::test]
async fn a_link_never_comes_to_lead_elsewhere() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::On).await;
    browser.sign_in(&demo).await;
    let became = browser.ask_later(UPDATE).await;
    assert_eq!(became, serde_json::json!([false, "/a", true, "Bea"]));
}

/// A page that the server has stopped telling says so, rather than look as if it knew.
#[tokio::test]
async fn a_page_that_is_not_kept_up_to_date_says_so() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::On).await;
    browser.sign_in(&demo).await;
    browser.go("/doors").await;
    browser.words("4 of 4 doors").await;
    browser
        .ask("fetch('/sign-out', { method: 'POST', redirect: 'manual' });")
        .await;
    browser
        .shown("The server does not answer this page any more")
        .await;
}

/// Creates somebody, with what is typed for the chosen method.
async fn create(browser: &Browser, last_name: &str, method: &str, typed: &[(&str, &str)]) {
    browser.follow("Users").await;
    browser.follow("Create").await;
    browser.heading("Create user").await;
    browser.fill("First name", "Test").await;
    browser.fill("Last name", last_name).await;
    browser.choose("Authentication method", method).await;
    for (field, text) in typed {
        browser.fill(field, text).await;
    }
}

#[tokio::test]
async fn create_with_each_method() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::On).await;
    browser.sign_in(&demo).await;
    let front = |what, answer| demo.present_until("entrance", "Front door", what, answer);

    create(&browser, "Pin", "PIN (recommended)", &[]).await;
    let pin = browser.value("PIN").await;
    assert!(
        (6..=8).contains(&pin.len()),
        "a generated one of six digits or more"
    );
    browser.picture("create").await;
    browser.press("Create user").await;
    browser.heading("Test Pin").await;
    front(["--pin", &pin], "granted");

    // A card that somebody has is refused, saying whose, and what was typed stays.
    let taken = [("Card token", CARD[1])];
    create(&browser, "Card", "NFC card or tag", &taken).await;
    browser.press("Create user").await;
    browser.words("There is a problem").await;
    assert!(
        browser.focus().await.starts_with("There is a problem"),
        "what is wrong has the focus"
    );
    browser
        .words("This card is in use (held by Amara Okafor)")
        .await;
    assert_eq!(browser.value("Last name").await, "Card");
    browser.fill("Card token", "04AABBCCDD11").await;
    browser.press("Create user").await;
    browser.heading("Test Card").await;
    front(["--nfc", "04AABBCCDD11"], "granted");

    let plate = [("Licence plate number", "OF-GA 1234")];
    create(&browser, "Plate", "Licence plate", &plate).await;
    browser.press("Create user").await;
    browser.heading("Test Plate").await;
    front(["--plate", "OFGA1234"], "granted");
}

/// The seven steps again where no script runs: links, forms, pages.
#[tokio::test]
async fn the_same_without_scripts() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::Off).await;
    browser.sign_in(&demo).await;
    browser.follow("Users").await;
    browser.follow(PERSON).await;
    browser.follow("Settings").await;
    browser.follow("Deactivate").await;
    assert!(
        browser.path().await.ends_with("/deactivate"),
        "a page of its own"
    );
    browser.press("Deactivate user").await;
    browser.heading(PERSON).await;
    // The page reloads itself until every door has confirmed.
    browser.words("Confirmed by 4 of 4 doors").await;
    browser.follow("Reactivate").await;
    browser.press("Reactivate user").await;
    demo.present_until("entrance", "Front door", PIN, "granted");
    browser.follow("Settings").await;
    browser.follow("Deactivate").await;
    browser.press("Deactivate user").await;
    browser.words("Confirmed by 4 of 4 doors").await;
    browser.follow("Remove").await;
    browser.fill("Type the name to confirm", PERSON).await;
    browser.press("Remove permanently").await;
    browser.words("The person was removed").await;
    create(
        &browser,
        "Noscript",
        "NFC card or tag",
        &[("Card token", "04AABBCCDD22")],
    )
    .await;
    browser.press("Create user").await;
    browser.heading("Test Noscript").await;
}

/// Presses Tab until the focus is on something with this text.
async fn tab_to(browser: &Browser, text: &str) {
    let mut way = Vec::new();
    for _ in 0..200 {
        browser.keys("\u{e004}").await;
        let focus = browser.focus().await;
        if focus.trim() == text {
            return;
        }
        way.push(focus);
    }
    panic!("Tab never reached {text:?}: {way:?}");
}

/// Nobody touches a mouse, and the screen is a small phone's.
#[tokio::test]
async fn by_keyboard_on_a_small_phone() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::On).await;
    browser.size(360, 740).await;
    browser.sign_in(&demo).await;
    browser.picture("phone-today").await;
    tab_to(&browser, "Users").await;
    browser.keys("\u{e007}").await;
    browser.heading("Users").await;
    browser.picture("phone-users").await;
    browser.go("/users?q=okafor").await;
    tab_to(&browser, PERSON).await;
    browser.keys("\u{e007}").await;
    browser.heading(PERSON).await;
    browser.picture("phone-profile").await;
    tab_to(&browser, "Settings").await;
    browser.keys("\u{e007}").await;
    browser.heading(&format!("Settings of {PERSON}")).await;
    tab_to(&browser, "Deactivate").await;
    browser.keys("\u{e007}").await;
    browser.heading(&format!("Deactivate {PERSON}?")).await;
    browser.picture("phone-deactivate").await;
    // Enter on the heading, where the focus is, confirms nothing; Escape leaves.
    browser.keys("\u{e007}").await;
    browser.keys("\u{e00c}").await;
    assert_eq!(
        browser.focus().await,
        "Deactivate",
        "focus returns to the link"
    );
    assert_eq!(demo.present("entrance", "Front door", PIN), "granted");
    browser.keys("\u{e007}").await;
    browser.heading(&format!("Deactivate {PERSON}?")).await;
    tab_to(&browser, "Deactivate user").await;
    browser.keys("\u{e007}").await;
    browser.words("Confirmed by 4 of 4 doors").await;
    browser.picture("phone-deactivated").await;
    tab_to(&browser, "Remove").await;
    browser.keys("\u{e007}").await;
    browser.heading(&format!("Remove {PERSON}?")).await;
    browser.fill("Type the name to confirm", PERSON).await;
    tab_to(&browser, "Remove permanently").await;
    browser.keys("\u{e007}").await;
    browser.words("The person was removed").await;
}

const AXE: &str = include_str!("axe.min.js");

/// What axe-core finds wrong with the page as it is.
async fn violations(browser: &Browser) -> Vec<String> {
    browser.ask(AXE).await;
    let found = browser
        .ask_later(
            "const done = arguments[arguments.length - 1]; \
             axe.run(document, { resultTypes: ['violations'] }).then( \
               (result) => done(result.violations), (error) => done([{ id: String(error) }]));",
        )
        .await;
    let tell = |violation: &Value| {
        let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
        let first: Vec<String> = nodes
            .iter()
            .take(3)
            .map(|node| format!("{} {}", node["html"], node["failureSummary"]))
            .collect();
        format!("{}: {}", violation["id"], first.join(" | "))
    };
    found.as_array().expect("a list").iter().map(tell).collect()
}

/// Every page, in light and dark: nothing that axe-core objects to, and nothing to scroll
/// sideways at 320 px.
#[tokio::test]
async fn every_page_is_accessible_and_fits() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::On).await;
    let mut problems = Vec::new();
    browser.go("/sign-in").await;
    let mut pages = vec!["/sign-in".to_owned()];
    browser.sign_in(&demo).await;
    browser.go("/users?q=okafor").await;
    browser.follow(PERSON).await;
    browser.heading(PERSON).await;
    let person = browser.path().await;
    browser.go("/users?q=abrahams").await;
    browser.follow("Ruth Abrahams").await;
    browser.heading("Ruth Abrahams").await;
    let other = browser.path().await;
    browser.follow("Settings").await;
    browser.follow("Deactivate").await;
    browser.press("Deactivate user").await;
    browser.words("Confirmed by").await;
    browser.go("/doors").await;
    browser.follow("Front door").await;
    browser.heading("Front door").await;
    let door = browser.path().await;
    pages.extend(
        [
            "/",
            "/users",
            "/users?q=nobody-is-called-this",
            "/users?filter=deactivated",
            "/users/new",
            "/doors",
            "/activity",
            "/activity?kind=refused",
            "/system",
            "/system/operators/new",
            "/system/join-tokens/new",
            "/demo/doors",
            "/no-such-page",
        ]
        .map(str::to_owned),
    );
    pages.push(door);
    for step in ["", "/settings", "/deactivate"] {
        pages.push(format!("{person}{step}"));
    }
    for step in ["", "/settings", "/reactivate", "/remove"] {
        pages.push(format!("{other}{step}"));
    }
    for page in &pages {
        browser.size(1280, 900).await;
        browser.go(page).await;
        for scheme in ["light", "dark"] {
            browser.scheme(scheme).await;
            for problem in violations(&browser).await {
                problems.push(format!("{page} ({scheme}) {problem}"));
            }
            let name = page
                .replace(&person, "person")
                .replace(&other, "deactivated")
                .replace(['/', '?', '='], "-");
            browser.picture(&format!("page{name}-{scheme}")).await;
        }
        browser.scheme("light").await;
        browser.size(320, 700).await;
        let wide = browser
            .ask("return document.documentElement.scrollWidth - window.innerWidth;")
            .await;
        if wide.as_i64() != Some(0) {
            problems.push(format!("{page} is {wide} px too wide at 320 px"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
