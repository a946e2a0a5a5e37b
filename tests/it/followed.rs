//! `logs -f` and `audit tail -f` on a terminal of 80 columns: every new line fits and is printed below the header.

use ::sandbox::{LOCATION, TOKEN};

use crate::serve::{OnTerminal, assert_fits, lines};
use crate::stdio::program;

#[tokio::test(flavor = "multi_thread")]
async fn followed_lines_fit_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    let run = async |arguments: &[&str]| {
        let arguments = [arguments, &["--state", state]].concat();
        let account = [
            ("HIGHLEVEL_TOKEN", TOKEN),
            ("HIGHLEVEL_LOCATION_ID", LOCATION),
        ];
        let done = program(&arguments, &account).output().await.expect("run");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let name = "the front desk of the western branches, by n8n";
    run(&[
        "keys",
        "create",
        "--name",
        name,
        "--all-locations",
        "--sandbox",
    ])
    .await;
    let of = ["--sandbox", "--state", state];
    let mut log = OnTerminal::start(&[&["logs", "-f"], &of[..]].concat(), &[]);
    let mut audit = OnTerminal::start(&[&["audit", "tail", "-f"], &of[..]].concat(), &[]);
    log.until("key made");
    // A write to records that do not exist, and one that succeeds.
    let tags = [
        "call",
        "--sandbox",
        "contacts_add-tags",
        "contactId=nobody",
        "tags[]=x",
    ];
    run(&tags).await;
    let create = [
        "call",
        "--sandbox",
        "contacts_create-contact",
        "firstName=Ann",
    ];
    run(&create).await;
    for (followed, titles) in [
        (&mut log, ["Time", "Kind", "What"]),
        (&mut audit, ["Began", "Outcome", "Tool"]),
    ] {
        let text = followed.until("ok ");
        assert_fits(&text);
        let first = lines(&text)
            .into_iter()
            .find(|line| line.contains(titles[0]));
        let header = first.expect("a header");
        assert!(titles.iter().all(|title| header.contains(title)), "{text}");
        assert!(text.contains("contacts_create-contact"), "{text}");
    }
    log.interrupt();
    audit.interrupt();
}
