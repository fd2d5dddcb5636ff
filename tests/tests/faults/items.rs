//! The state table of a cell.

use imds_tests::FakeAws;
use jiff::Timestamp;
use serde_json::json;

use crate::fleet::{OTHER_REGION, SceneFleet};
use crate::scenes::{LAUNCHER, Purpose, Scene};
use crate::support::{DAY, REGION, ahead};
use crate::troubles::{Trouble, TroubleKind};

const ACCOUNT: &str = "111122223333";

impl Scene {
    /// What people, earlier launches and earlier sweeps have left in the table.
    pub(crate) fn put_items(&self, ec2: &FakeAws, fleet: &SceneFleet, trouble: &Trouble) {
        let people = json!({ "until": ahead(DAY).to_string(), "reason": "ticket", "by": "ada" });
        match self.purpose {
            Purpose::Exemptions => {
                for id in &fleet.held {
                    ec2.put_item(&format!("exempt#{id}"), people.clone());
                }
            }
            Purpose::Pauses => ec2.put_item(&format!("pause#{ACCOUNT}"), people),
            Purpose::Launchers if !self.launches() => {
                for id in fleet.to_change() {
                    ec2.put_item(
                        &format!("launcher#{id}"),
                        json!({ "principals": [LAUNCHER] }),
                    );
                }
            }
            Purpose::Watch => {
                let watch = json!({ "enforced_at": Timestamp::now().to_string(), "before": "{}" });
                ec2.put_item(&format!("watch#{}", fleet.compliant), watch);
            }
            _ => {}
        }
        match trouble.kind {
            TroubleKind::Item => {
                for key in self.keys(fleet) {
                    ec2.put_item(&key, json!({ "version": "one", "entries": {} }));
                }
            }
            TroubleKind::Unprocessed(times) => self.leave_unprocessed(ec2, fleet, times),
            _ => {}
        }
    }

    /// Before the next delivery. The next sweep comes when the lease of the last one has ended.
    pub(crate) fn recover_items(&self, ec2: &FakeAws, fleet: &SceneFleet, trouble: &Trouble) {
        match trouble.kind {
            TroubleKind::Item => {
                for key in self.keys(fleet) {
                    ec2.remove_item(&key);
                }
            }
            TroubleKind::Unprocessed(_) => self.leave_unprocessed(ec2, fleet, 0),
            _ => {}
        }
        ec2.remove_item(&format!("lease#{ACCOUNT}"));
    }

    /// What the table should hold in the end, and does not.
    pub(crate) fn missing_items(&self, ec2: &FakeAws, fleet: &SceneFleet) -> Vec<String> {
        let items = ec2.items();
        let counted = |region: &str, id: &str| {
            let item = items.get(&format!("limit#{ACCOUNT}#{region}"));
            item.is_some_and(|item| item["entries"].get(id).is_some())
        };
        let disruptions = ec2.disruptions().into_iter();
        let uncounted = disruptions.filter(|it| !counted(&it.region, &it.id));
        let uncounted = uncounted.map(|it| format!("{} of {} is not counted", it.action, it.id));
        let remembered = match self.purpose {
            Purpose::Launchers => Some("launcher"),
            Purpose::Watch => Some("watch"),
            _ => None,
        };
        let ids = fleet.to_change().iter();
        let keys = remembered.map(|prefix| ids.map(move |id| format!("{prefix}#{id}")));
        let missing = keys
            .into_iter()
            .flatten()
            .filter(|key| !items.contains_key(key));
        uncounted
            .chain(missing.map(|key| format!("there is no item {key}")))
            .collect()
    }

    fn leave_unprocessed(&self, ec2: &FakeAws, fleet: &SceneFleet, times: u32) {
        for key in self.keys(fleet) {
            ec2.leave_unprocessed(&key, times);
        }
    }

    /// The keys of the items that its calls name.
    fn keys(&self, fleet: &SceneFleet) -> Vec<String> {
        let of_each = |prefix: &str| {
            let ids = fleet.to_change().iter().chain(&fleet.held);
            ids.map(|id| format!("{prefix}#{id}")).collect()
        };
        let of_regions = |prefix: &str| {
            let regions = [REGION, OTHER_REGION].into_iter();
            regions
                .map(|region| format!("{prefix}#{ACCOUNT}#{region}"))
                .collect()
        };
        match self.purpose {
            Purpose::Limit => of_regions("limit"),
            Purpose::Existing => of_regions("existing"),
            Purpose::Pauses => vec![format!("pause#{ACCOUNT}")],
            Purpose::Lease | Purpose::Release => vec![format!("lease#{ACCOUNT}")],
            Purpose::Watch => vec![format!("watch#{}", fleet.compliant)],
            Purpose::DriftLimit => of_each("drift"),
            Purpose::Exemptions => of_each("exempt"),
            Purpose::Launchers => of_each("launcher"),
            _ => Vec::new(),
        }
    }
}
