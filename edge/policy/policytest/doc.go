// Package policytest reads the truth about policy from data files: worlds, and
// cases of who asks for what there and what the answer is. It also makes random
// worlds and requests.
//
// Whoever decides requests (the engine, the reference, the API) turns a [World]
// and a [Request] into its own form and must give each [Case] its [Decision].
// So this package must never import any of them.
//
// # The form
//
// A file is read line by line; "#" begins a comment, "##" a section. Most lines
// build the world:
//
//	world [FILE]                        begin a new world: an empty one, or that of a file
//	provider ID…                        identity providers
//	account ID…                         service accounts
//	app ID [OP:ACCESS]… [KEY=VALUE]… [disabled] [closed]    operations and labels
//	role ID = OPERATION|ACCESS…
//	group ID = user(E) account(A) group(G) idp(P,VALUE)…
//	member EMAIL = GROUP…               a person's groups, beside the groups' own members
//	policy ID APP,… [shadow]            attached by name
//	policy ID for KEY=V,… set(KEY)=V,… [shadow]    by labels; set(): an unset label is no match
//	rule POLICY.RULE RULE               see below
//	exempt POLICY.ID PRINCIPALS [app=…] [to=…]
//	grant ID PRINCIPALS OPERATIONS [app=…] [from=…] to=…
//	who NAME = person|machine [idp=] [sub=] [mail=] [verified|trusted] [groups=] [absent=] [incomplete] [account=]
//	           and any fact of a session (below)
//
// Every other line is a case: rules that are added to the world, a request, and
// the answer to it, then the sentence of the specification that it pins.
//
//	RULES | WHO OPERATION FACTS | OUTCOME reason [policy.rule|grants/ID] ["remediation"] [need] [until=] [shadow=]  ; sentence
//
// RULES is "-", or joined by " + ":
//
//	[policy.rule:] ALLOW|DENY|REQUIRE PRINCIPALS OPERATIONS [CONDITION]… [expr=`…`] [say="…"] [app=…]
//	[policy.id:]   EXEMPT PRINCIPALS [app=…] [to=…]
//	[id:]          GRANT PRINCIPALS OPERATIONS [from=…] to=… [app=…]
//
// Unnamed rules are p.r1, p.r2, … in order. A policy that the world does not
// have is attached to the app "api", or that of app=. A policy that has rules
// neither in the world nor in the row is not there. Lists are joined by ",",
// "[]" is a list that is empty and not absent, and @name among operations is a
// role.
//
//	CONDITION  cidr= country= window=DAYS@HH:MM-HH:MM@ZONE from= to= device=managed,compliant,posture:NAME
//	           reported=DURATION (of the device) age=DURATION acr= amr= idp= in=
//	FACTS      ip= at= country= method= host= path= app= device=managed,!compliant,NAME,!NAME reported=
//	           of the session: auth= acr= amr= asked= asked.age= asked.acr= asked.amr=
//	need       age= acr= amr=: what a step-up must ask for
//	shadow=    policy:OUTCOME:reason[:rule], once for each shadow policy
//
// Of somebody and of facts, <TEXT*N> is a text N times, and mail= may be quoted.
//
// WHO is one of the world, or "stranger". OPERATION "-" is none. Without ip= and
// at= it is 192.0.2.1 and 2026-11-23T12:00:00Z; "?" makes a fact unknown. An
// instant is written in full, or relative to now, such as -10m.
package policytest
