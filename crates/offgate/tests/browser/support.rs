//! A demo to look at, and a browser to look with.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

/// How long anything may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// `offgate demo`, as the README starts it.
pub(crate) struct Demo {
    child: Child,
    _input: ChildStdin,
    _data: tempfile::TempDir,
    data: PathBuf,
    /// The address of the console.
    pub(crate) console: String,
    /// The one-time link.
    pub(crate) link: String,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("demo");
        let mut child = Command::new(env!("CARGO_BIN_EXE_offgate"))
            .args(["demo", "--port", "0", "--data"])
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the demo starts");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut link = String::new();
        for line in output.lines() {
            let line = line.expect("text");
            if let Some(rest) = line.strip_prefix("Offgate demo: ") {
                link = rest.split(' ').next().unwrap_or_default().to_owned();
            }
            if line.starts_with("A real installation") {
                break;
            }
        }
        let console = link.split("/start/").next().unwrap_or_default().to_owned();
        assert!(console.starts_with("http://127.0.0.1:"), "{link}");
        Self {
            child,
            _input: input,
            _data: folder,
            data,
            console,
            link,
        }
    }

    /// Presents something at a door of an agent, as the terminal does: the words of the answer.
    pub(crate) fn present(&self, agent: &str, door: &str, what: [&str; 2]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_offgate"))
            .args(["present", "--door", door])
            .args(what)
            .arg("--data")
            .arg(self.data.join("agents").join(agent))
            .output()
            .expect("present runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The same until it gives the answer that is waited for.
    pub(crate) fn present_until(&self, agent: &str, door: &str, what: [&str; 2], answer: &str) {
        let begun = Instant::now();
        loop {
            let said = self.present(agent, door, what);
            if said == answer {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{said} instead of {answer}");
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

/// Chromium, driven as a person would drive it.
pub(crate) struct Browser {
    driver: Child,
    _profile: tempfile::TempDir,
    client: Client,
    pub(crate) console: String,
}

/// Whether pages may run scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    On,
    Off,
}

impl Browser {
    pub(crate) async fn start(console: &str, scripts: Scripts) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed: cargo xtask test does it");
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = loop {
            let line = lines.next().expect("it says its port").expect("text");
            if let Some((_, rest)) = line.split_once("started successfully on port ") {
                break rest.trim_end_matches('.').to_owned();
            }
        };
        // What it goes on to say is read by nobody; it must not stop because of that.
        std::thread::spawn(move || lines.for_each(drop));
        let javascript = match scripts {
            Scripts::On => 1,
            Scripts::Off => 2,
        };
        let mut options = serde_json::Map::new();
        options.insert(
            "goog:chromeOptions".to_owned(),
            json!({
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                    "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
                    "--force-color-profile=srgb", "--disable-dev-shm-usage",
                    // No picture catches anything on its way.
                    "--force-prefers-reduced-motion",
                    format!("--user-data-dir={}", profile.path().display()),
                ],
                "prefs": { "profile.managed_default_content_settings.javascript": javascript },
            }),
        );
        let connector = hyper_util::client::legacy::connect::HttpConnector::new();
        let client = ClientBuilder::new(connector)
            .capabilities(options)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a browser");
        let browser = Self {
            driver,
            _profile: profile,
            client,
            console: console.to_owned(),
        };
        browser.size(1280, 900).await;
        browser
    }

    /// Opens the one-time link and signs in.
    pub(crate) async fn sign_in(&self, demo: &Demo) {
        self.client.goto(&demo.link).await.expect("the link");
        self.press("Sign in").await;
        self.heading("Today").await;
    }

    pub(crate) async fn go(&self, path: &str) {
        let address = format!("{}{path}", self.console);
        self.client.goto(&address).await.expect("a page");
    }

    pub(crate) async fn path(&self) -> String {
        let address = self.client.current_url().await.expect("an address");
        address.path().to_owned()
    }

    async fn developer(&self, method: &str, parameters: Value) {
        let command = DeveloperCommand(json!({ "cmd": method, "params": parameters }));
        self.client.issue_cmd(command).await.expect("done");
    }

    /// The size of the page, as a device of that size has it.
    pub(crate) async fn size(&self, width: u32, height: u32) {
        let parameters = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.developer("Emulation.setDeviceMetricsOverride", parameters)
            .await;
    }

    /// Whether the device is set to dark.
    pub(crate) async fn scheme(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.developer(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        )
        .await;
    }

    async fn element(&self, xpath: &str) -> fantoccini::elements::Element {
        self.client
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::XPath(xpath))
            .await
            .unwrap_or_else(|error| panic!("{xpath}: {error}"))
    }

    /// The link with this name.
    pub(crate) async fn follow(&self, name: &str) {
        let link = format!("//a[normalize-space(.)='{name}']");
        self.element(&link).await.click().await.expect("clicked");
    }

    /// The button with this name.
    pub(crate) async fn press(&self, name: &str) {
        let button = format!("//button[normalize-space(.)='{name}']");
        self.element(&button).await.click().await.expect("clicked");
    }

    /// The button with this name in the section with this heading.
    pub(crate) async fn press_at(&self, section: &str, name: &str) {
        let button = self.offers(section, name).await;
        button.click().await.expect("clicked");
    }

    /// Waits for a button in the section with this heading: the answer to the one before it.
    pub(crate) async fn offers(&self, section: &str, name: &str) -> fantoccini::elements::Element {
        let button = format!(
            "//section[h2[normalize-space(.)='{section}']]//button[normalize-space(.)='{name}']"
        );
        self.element(&button).await
    }

    /// Waits for a heading, and for all of the page that it belongs to: a key that is pressed before
    /// the rest is there goes astray.
    pub(crate) async fn heading(&self, text: &str) {
        self.element(&format!("//h1[normalize-space(.)='{text}']"))
            .await;
        let begun = Instant::now();
        while self.ask("return document.readyState;").await != "complete" {
            assert!(begun.elapsed() < PATIENCE, "{text:?} was never complete");
        }
    }

    /// Waits for words somewhere in one element.
    pub(crate) async fn words(&self, text: &str) -> String {
        let xpath = format!("//body//*[text()[starts-with(normalize-space(.), '{text}')]]");
        self.element(&xpath).await.text().await.expect("text")
    }

    /// Waits until words are to be seen, which were on the page before.
    pub(crate) async fn shown(&self, text: &str) {
        let script = format!("return document.body.innerText.includes({});", json!(text));
        let begun = Instant::now();
        while self.ask(&script).await != Value::Bool(true) {
            assert!(begun.elapsed() < PATIENCE, "{text:?} was never shown");
        }
    }

    /// The number beside the link to all people.
    pub(crate) async fn badge(&self) -> Option<String> {
        let badge = self
            .ask("return document.querySelector('.badge')?.textContent ?? null;")
            .await;
        badge.as_str().map(str::to_owned)
    }

    /// Waits until that number is this one, without loading the page again.
    pub(crate) async fn until_badge(&self, number: Option<&str>) {
        let begun = Instant::now();
        while self.badge().await.as_deref() != number {
            assert!(begun.elapsed() < PATIENCE, "never {number:?}");
        }
    }

    fn field_path(label: &str) -> String {
        format!("//*[@id=//label[normalize-space(.)='{label}']/@for]")
    }

    /// What a field holds.
    pub(crate) async fn value(&self, label: &str) -> String {
        let field = self.element(&Self::field_path(label)).await;
        field
            .prop("value")
            .await
            .expect("readable")
            .unwrap_or_default()
    }

    /// Types into a field, in place of what it holds.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self.element(&Self::field_path(label)).await;
        field.clear().await.expect("cleared");
        field.send_keys(text).await.expect("typed");
    }

    /// Chooses from a list.
    pub(crate) async fn choose(&self, label: &str, option: &str) {
        let field = self.element(&Self::field_path(label)).await;
        field.select_by_label(option).await.expect("chosen");
    }

    /// Runs a script of the test's own.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        self.client
            .execute(script, Vec::new())
            .await
            .expect("an answer")
    }

    /// As [`Self::ask`], of a script that calls its last argument back.
    pub(crate) async fn ask_later(&self, script: &str) -> Value {
        self.client
            .execute_async(script, Vec::new())
            .await
            .expect("an answer")
    }

    /// Presses keys, wherever the focus is: the keyboard's, because keys that are sent to an element
    /// focus it first, and never leave a field that has several parts.
    pub(crate) async fn keys(&self, keys: &str) {
        let keyboard = KeyActions::new("keyboard".to_owned());
        let pressed = keys.chars().fold(keyboard, |pressed, value| {
            pressed
                .then(KeyAction::Down { value })
                .then(KeyAction::Up { value })
        });
        let client = &self.client;
        client.perform_actions(pressed).await.expect("pressed");
    }

    /// What has the focus, by its text.
    pub(crate) async fn focus(&self) -> String {
        let focus = self.client.active_element().await.expect("a focus");
        focus.text().await.expect("text")
    }

    /// Keeps a picture of the page.
    pub(crate) async fn picture(&self, name: &str) {
        let picture = self.client.screenshot().await.expect("a picture");
        let folder = pictures();
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("written");
    }
}

/// Where pictures go: into the documentation when that is asked for.
fn pictures() -> PathBuf {
    match std::env::var_os("OFFGATE_PICTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = Command::new("pkill")
            .args(["-P", &self.driver.id().to_string()])
            .status();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A command of Chromium's own, beside those every browser knows.
#[derive(Debug)]
struct DeveloperCommand(Value);

impl WebDriverCompatibleCommand for DeveloperCommand {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}
