//! The page of the manual, as man(1) shows it.

use integration_tests::missing;

use crate::sandbox;

#[test]
fn the_page_renders_without_a_warning() {
    if missing(&["man", "groff"]) {
        return;
    }
    let mut sandbox = sandbox();
    for (name, value) in [("LC_ALL", "C.UTF-8"), ("MANWIDTH", "80"), ("TERM", "dumb")] {
        sandbox.set(name, value);
    }
    let page = sandbox.write("resume.1", &sandbox.resume(["man"]).success().stdout);
    let mut command = sandbox.other_command("man");
    command.args(["--warnings", "-P", "cat", "-l", &page]);
    let shown = sandbox.run(command);
    shown.success().no_stderr().stdout_has(&[
        "RESUME(1)",
        "resume - keeps programs running",
        "   resume stop\n",
        "   resume completions\n",
        "--stop-timeout TIME\n",
        "--watch",
        "GLOBAL OPTIONS\n",
        "EXIT STATUS\n",
        "ENVIRONMENT\n",
        "SIGNALS\n",
        "FILES\n",
    ]);
    let text = shown.stdout_text();
    assert!(!text.contains("\\-") && !text.contains("\\fB"), "an escape is left: {text}");
}
