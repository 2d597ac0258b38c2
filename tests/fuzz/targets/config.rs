//! The configuration files: parsers, resolvers, and what is said of errors.

use lvs_ha::agents::builtin;
use lvs_ha::config::diag::{Diagnostic, Source, Span, has_errors};
use lvs_ha::config::haresources::AddressArg;
use lvs_ha::config::ldirectord_cf::describe_error;
use lvs_ha::config::report::{Finding, Sources, Which, parts, render};
use lvs_ha::config::resolve::cluster::{Files, settings};
use lvs_ha::config::resolve::director;
use lvs_ha::config::{authkeys, ha_cf, haresources, ldirectord_cf};

use super::names::Host;
use crate::seeds;

/// Findings whose excerpts are looked at: one is as good as a thousand.
const SHOWN: usize = 10;

pub fn ha_cf_seeds() -> Vec<Vec<u8>> {
    seeds::files("ha.cf")
}

pub fn haresources_seeds() -> Vec<Vec<u8>> {
    seeds::files("haresources")
}

pub fn authkeys_seeds() -> Vec<Vec<u8>> {
    let made = b"auth 2\n1 crc\n2 sha1 labsecret\n#3 md5 k\n3 md5 Hello!\n".to_vec();
    seeds::files("authkeys").into_iter().chain([made]).collect()
}

/// A place lies in the file, on one of its lines.
fn place(source: &Source, span: Span) {
    assert!(span.start <= span.end && span.end <= source.bytes.len(), "{span:?} in {} bytes", source.bytes.len());
    let lines = source.bytes.iter().filter(|b| **b == b'\n').count() + 1;
    assert!(source.line_column(span.start).0 <= lines);
}

/// Every finding has words and a place that exists, and can be shown.
fn findings<'a>(source: &Source, found: impl IntoIterator<Item = &'a Diagnostic>) {
    for (i, finding) in found.into_iter().enumerate() {
        assert!(!finding.what.trim().is_empty());
        if let Some(span) = finding.span {
            place(source, span);
        }
        if i < SHOWN {
            let excerpt = source.excerpt(finding);
            let text = source.bytes.len() + finding.hint.as_ref().map_or(0, String::len);
            assert!(excerpt.len() < 2000 + 40 * text, "an excerpt of {} bytes", excerpt.len());
        }
    }
}

/// What the daemon would make of the three files.
fn cluster(cf: &[u8], resources: &[u8], keys: &[u8]) {
    let (ha_cf, cf_found) = ha_cf::parse(cf, "/etc/ha.d//ha.cf");
    let (haresources, resources_found) = haresources::parse(resources);
    let (authkeys, keys_found) = authkeys::parse(keys, "/etc/ha.d//authkeys");
    let sources = Sources {
        ha_cf: Source::new("/etc/ha.d//ha.cf", cf),
        authkeys: Source::new("/etc/ha.d//authkeys", authkeys::masked(keys)),
        haresources: Source::new("/etc/ha.d//haresources", resources),
    };
    let mut all = Vec::new();
    for (file, found) in [(Which::HaCf, cf_found), (Which::Haresources, resources_found), (Which::Authkeys, keys_found)] {
        findings(sources.of(file), &found);
        all.extend(found.into_iter().map(|d| Finding::new(file, d)));
    }
    let files = Files { ha_cf: &ha_cf, haresources: &haresources, haresources_shown: "haresources", authkeys: &authkeys };
    let (settings, more) = settings(files, "alpha", &Host);
    for finding in &more {
        findings(sources.of(finding.file), [&finding.diagnostic]);
    }
    let unusable = lvs_ha::config::report::has_errors(&more);
    assert!(settings.is_none() || !unusable, "settings in spite of errors");
    all.extend(more);
    if let Some(settings) = settings {
        assert!(settings.nodes.contains(&settings.me));
        assert!(settings.keys.get(settings.keys.active).is_some());
        assert_eq!(settings.groups.len(), haresources.groups.len());
    } else {
        let said = lvs_ha::config::report::has_errors(&all);
        assert!(said, "refused without a word");
    }
    all.truncate(SHOWN);
    let report = render(&parts(&all, &sources), |level, text| format!("{level}: {text}"));
    assert_eq!(report.is_empty(), all.is_empty());
    secret(&authkeys, &report);
}

/// No key is in what is said.
fn secret(file: &authkeys::File, report: &str) {
    for key in file.keys.iter().map(|k| &k.value.secret).filter(|s| s.len() >= 12) {
        let text = String::from_utf8_lossy(key);
        // A key that stands in words of ours, or is spelled like them, says nothing.
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric()) && text.chars().any(|c| c.is_ascii_digit());
        assert!(!plain || !report.contains(text.as_ref()), "a key is shown");
    }
}

const CF: &[u8] = b"node alpha\nnode beta\nbcast eth0\nauto_failback on\n";
const KEYS: &[u8] = b"auth 1\n1 sha1 labsecret\n";

pub fn ha_cf(bytes: &[u8]) {
    cluster(bytes, b"alpha 10.0.0.1\n", KEYS);
}

pub fn haresources(bytes: &[u8]) {
    cluster(CF, bytes, KEYS);
    let (file, _) = haresources::parse(bytes);
    let source = Source::new("haresources", bytes);
    let mut last = 0;
    for line in &file.groups {
        place(&source, line.node.span);
        assert!(line.node.span.start >= last, "lines in their order");
        assert!(!line.node.value.is_empty());
        for resource in &line.resources {
            place(&source, resource.span);
            last = resource.span.end;
            let word = String::from_utf8_lossy(&bytes[resource.span.range()]);
            assert_eq!(resource.value.word, word, "a word stands where it says");
            let again = haresources::resource(&resource.value.word);
            assert_eq!(again, resource.value);
            if resource.value.script != haresources::ADDRESS_SCRIPT {
                let joined = [std::slice::from_ref(&resource.value.script), resource.value.args.as_slice()].concat().join("::");
                assert_eq!(joined, resource.value.word);
            }
            let _ = builtin::lookup(&resource.value);
            for arg in &resource.value.args {
                if let Ok(arg) = AddressArg::parse(arg) {
                    assert!(arg.prefix.is_none_or(|p| p <= 32));
                    assert!(arg.label.as_ref().is_none_or(|l| arg.interface.as_ref().is_some_and(|i| l.starts_with(i.as_str()))));
                }
            }
        }
    }
}

pub fn authkeys(bytes: &[u8]) {
    cluster(CF, b"alpha 10.0.0.1\n", bytes);
    let masked = authkeys::masked(bytes);
    assert_eq!(masked.len(), bytes.len());
    let newlines = |b: &[u8]| b.iter().filter(|b| **b == b'\n').count();
    assert_eq!(newlines(&masked), newlines(bytes));
    assert_eq!(authkeys::masked(&masked), masked);
    let (file, _) = authkeys::parse(bytes, "authkeys");
    for key in &file.keys {
        assert!(key.value.number <= 15);
    }
    let mut numbers: Vec<u8> = file.keys.iter().map(|k| k.value.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), file.keys.len(), "one key of a number");
}

pub fn ldirectord_cf_seeds() -> Vec<Vec<u8>> {
    let mut all = seeds::files("ldirectord.cf");
    let range =
        "virtual=10.0.0.1:80\n\treal=10.0.0.10->10.0.0.20:80 gate 5 l:1 u:9 \"/x\", \"ok\"\n\tfallback=127.0.0.1:80 masq\n";
    let mark = "checktype=connect\nvirtual=5\n\treal=web:http ipip\n\tscheduler=sh\n\tsched-flags=sh-port\n\tpersistent=9\n";
    let six = "virtual6=[fd00::1]:443\n\treal6=[fd00::2]:443 masq\n\tservice=https\n\trequest=\"/\"\n\treceive=\"^o(k|K)$\"\n";
    all.extend([range, mark, six].map(|s| s.as_bytes().to_vec()));
    all
}

pub fn ldirectord_cf(bytes: &[u8]) {
    let source = Source::new("ldirectord.cf", bytes);
    let (file, found) = ldirectord_cf::parse(bytes);
    findings(&source, &found);
    for block in &file.virtuals {
        place(&source, block.head);
        place(&source, block.end);
    }
    let (plan, found) = director::read(&source, &Host);
    findings(&source, &found);
    assert_eq!(plan.is_none(), has_errors(&found), "{found:?}");
    let places: Vec<usize> = found.iter().map(|d| d.span.map_or(usize::MAX, |s| s.start)).collect();
    assert!(places.is_sorted(), "findings in the file's order");
    for finding in found.iter().take(SHOWN) {
        let text = describe_error(7, &source, finding);
        assert!(text.contains("[7]") && text.ends_with('\n'));
    }
    let Some(plan) = plan else { return };
    let lines = bytes.iter().filter(|b| **b == b'\n').count() + 1;
    for service in &plan.virtuals {
        assert!((1..=lines).contains(&service.line));
        for real in &service.reals {
            assert!(real.check.timeout.as_secs() > 0 || !bytes.is_empty());
        }
    }
    let mut keys: Vec<_> = plan.virtuals.iter().map(|v| v.service.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), plan.virtuals.len(), "a service once");
}
