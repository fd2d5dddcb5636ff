//! Where something milder is done than the policy says.

use imds_core::decide::{Because, Decision, Instead};
use imds_core::instance::State;
use imds_core::policy::Action;

use crate::{done, launch, non_compliant, open, tokens_and_hops, with};

#[test]
fn final_states_are_gone() {
    for state in [State::ShuttingDown, State::Terminated] {
        let instance = with(|i| i.state = Some(state));
        assert_eq!(
            launch(&tokens_and_hops("terminate", ""), &instance),
            Decision::Gone(state)
        );
    }
}

#[test]
fn a_stopped_instance_is_not_stopped_again_but_its_options_are_enforced() {
    for state in [State::Stopping, State::Stopped] {
        let instance = with(|i| i.state = Some(state));
        let stopped = non_compliant(launch(&tokens_and_hops("stop", ""), &instance));
        let of = Action::Stop;
        let because = Because::AlreadyStopped;
        assert_eq!(
            done(&stopped),
            (Action::Enforce, Some(&Instead { of, because }))
        );
        assert!(!stopped.is_disrupted());
        assert!(stopped.to_string().ends_with("it is already stopped"));
        let terminated = non_compliant(launch(&tokens_and_hops("terminate", ""), &instance));
        assert_eq!(done(&terminated), (Action::Terminate, None));
    }
}

#[test]
fn what_is_made_milder_twice_still_says_what_the_policy_says() {
    let limited = non_compliant(launch(&tokens_and_hops("terminate", ""), &open()))
        .milder(Action::Enforce, Because::DisruptionLimit { limit: 1 })
        .milder(Action::Report, Because::Refused("denied".to_owned()));
    let of = Action::Terminate;
    let because = Because::Refused("denied".to_owned());
    assert_eq!(
        done(&limited),
        (Action::Report, Some(&Instead { of, because }))
    );
}
