//! Declarative files: what is read, and what is refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postern_api::Document;

const FILE: &str = "
kind: site
name: office
---
kind: resource
name: bastion
site: office
type: ssh
target: 127.0.0.1:22
labels: {env: prod}
---
kind: group
name: engineers
---
kind: user
name: alice
groups: [engineers]
password: {fromEnv: ALICE_PASSWORD}
---
kind: grant
name: engineers-reach-prod
subjects: [{group: engineers}, {user: alice}]
resources: {labels: {env: prod}}
actions: [connect]
conditions: {windows: [office-hours], source_cidrs: [10.0.0.0/8], sign_in_within: fresh}
expires_at: 2027-01-01T00:00:00Z
---
kind: grant
name: all
subjects: [{service_account: ci}, everyone]
outage: fail_closed
resources: all
actions: [connect]
---
kind: policy
name: no-root
text: forbid (principal, action, resource);
outage: {fail_static: 3600}
---
kind: window
name: office-hours
zone: Europe/Paris
days: [mon, fri]
from: '09:00'
to: '17:30'
---
kind: threshold
name: fresh
seconds: 900
---
kind: absent
object: grant
name: old
";

#[test]
fn a_file_of_every_kind_of_document_is_read_and_survives_json() {
    let documents: Vec<Document> = serde_saphyr::from_multiple(FILE).unwrap();
    assert_eq!(documents.len(), 10);
    let json = serde_json::to_string(&documents).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Document>>(&json).unwrap(), documents);
}

#[test]
fn a02_unknown_and_repeated_fields_are_refused() {
    for bad in [
        r#"{"kind":"site","name":"office","id":"sit_1"}"#,
        r#"{"kind":"user","name":"eve","role":"owner"}"#,
        r#"{"kind":"user","name":"eve","created_at":"2026-01-01T00:00:00Z"}"#,
        r#"{"kind":"site","name":"office","name":"other"}"#,
        r#"{"kind":"site","kind":"group","name":"office"}"#,
        r#"{"kind":"resource","name":"r","site":"s","type":"ssh","target":"h:1","labels":{"a":"1","a":"2"}}"#,
        r#"{"kind":"grant","name":"g","subjects":[{"group":"a","user":"b"}],"resources":"all","actions":[]}"#,
    ] {
        assert!(serde_json::from_str::<Document>(bad).is_err(), "{bad}");
    }
}
