// Package tests checks the chart without a cluster.
package tests

import (
	"encoding/json"
	"os"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// The Lua that Argo CD itself runs, with the object in `obj` as Argo CD gives it.
func health(t *testing.T, object string) (status, message string) {
	t.Helper()
	script, err := os.ReadFile("../countersign/files/argocd/health.lua")
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal([]byte(object), &value); err != nil {
		t.Fatal(err)
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", toLua(state, value))
	if err := state.DoString(string(script)); err != nil {
		t.Fatal(err)
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returned %v, not a table", state.Get(-1))
	}
	return lua.LVAsString(answer.RawGetString("status")), lua.LVAsString(answer.RawGetString("message"))
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case string:
		return lua.LString(value)
	case float64:
		return lua.LNumber(value)
	case bool:
		return lua.LBool(value)
	default:
		return lua.LNil
	}
}

func TestArgoCDHealth(t *testing.T) {
	cases := []struct {
		name, object, status, message string
	}{
		{
			"no status",
			`{"metadata": {"generation": 1}}`,
			"Progressing", "waiting for the operator",
		},
		{
			"the status that the CRD gives to a fresh object",
			`{"metadata": {"generation": 1}, "status": {"conditions": [
				{"type": "Accepted", "status": "Unknown", "reason": "Pending", "message": "waiting for the operator"},
				{"type": "Ready", "status": "Unknown", "reason": "Pending", "message": "waiting for the operator"}]}}`,
			"Progressing", "waiting for the operator",
		},
		{
			"stale: ready once, changed since",
			`{"metadata": {"generation": 3}, "status": {"observedGeneration": 2, "conditions": [
				{"type": "Accepted", "status": "True"}, {"type": "Ready", "status": "True"}]}}`,
			"Progressing", "the operator has not yet seen the latest change",
		},
		{
			"stale: refused once, changed since",
			`{"metadata": {"generation": 3}, "status": {"observedGeneration": 2, "conditions": [
				{"type": "Accepted", "status": "False", "message": "no"}]}}`,
			"Progressing", "the operator has not yet seen the latest change",
		},
		{
			"refused",
			`{"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": [
				{"type": "Ready", "status": "False", "reason": "WeakerThanSensitivity", "message": "not ready"},
				{"type": "Accepted", "status": "False", "reason": "WeakerThanSensitivity", "message": "scopes are required"}]}}`,
			"Degraded", "scopes are required",
		},
		{
			"accepted, and not written yet for want of an API server",
			`{"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": [
				{"type": "Accepted", "status": "True"},
				{"type": "Ready", "status": "False", "reason": "Unreachable", "message": "the API server could not be reached"}]}}`,
			"Progressing", "the API server could not be reached",
		},
		{
			"accepted, but not all of it can be enforced",
			`{"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": [
				{"type": "Accepted", "status": "True"},
				{"type": "Ready", "status": "False", "reason": "PartiallyProgrammed", "message": "no waypoint"}]}}`,
			"Degraded", "no waypoint",
		},
		{
			"conditions without Ready",
			`{"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": [{"type": "Accepted", "status": "True"}]}}`,
			"Progressing", "waiting for the operator",
		},
		{
			"ready policy",
			`{"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": [
				{"type": "Accepted", "status": "True"}, {"type": "Programmed", "status": "True"},
				{"type": "Ready", "status": "True", "message": "all rules are enforced"}]}}`,
			"Healthy", "all rules are enforced",
		},
		{
			"fresh authority",
			`{"kind": "CertificateAuthority", "metadata": {"generation": 1}, "status": {"conditions": [
				{"type": "Ready", "status": "Unknown", "reason": "Pending", "message": "waiting for the signer"}]}}`,
			"Progressing", "waiting for the signer",
		},
		{
			"authority that signs",
			`{"kind": "CertificateAuthority", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "phase": "Steady",
				"conditions": [{"type": "Ready", "status": "True", "reason": "Signing", "message": "certificates can be signed"}]}}`,
			"Healthy", "certificates can be signed",
		},
		{
			"foreign trust domain, changed since",
			`{"kind": "FederatedTrustDomain", "metadata": {"generation": 2}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Ready", "status": "True", "message": "its certificates can be verified"}]}}`,
			"Progressing", "the signer has not yet seen the latest change",
		},
		{
			"foreign trust domain whose bundle is not to be had",
			`{"kind": "FederatedTrustDomain", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Ready", "status": "False", "reason": "FetchFailed", "message": "the bundle could not be fetched"}]}}`,
			"Degraded", "the bundle could not be fetched",
		},
		{
			"client that the token service has not seen",
			`{"kind": "TokenClient", "metadata": {"generation": 2}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Ready", "status": "True", "message": "it can get tokens"}]}}`,
			"Progressing", "the token service has not yet seen the latest change",
		},
		{
			"client with a shared secret",
			`{"kind": "TokenClient", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Ready", "status": "True", "message": "it can get tokens"},
				{"type": "SharedSecret", "status": "True", "message": "better use keys"}]}}`,
			"Healthy", "it can get tokens",
		},
		{
			"managed issuer, changed since",
			`{"kind": "TokenIssuer", "metadata": {"generation": 2}, "spec": {"managed": {}}, "status": {"observedGeneration": 1,
				"conditions": [{"type": "Ready", "status": "True", "message": "tokens can be had"}]}}`,
			"Progressing", "the token service has not yet seen the latest change",
		},
		{
			"external issuer, changed since",
			`{"kind": "TokenIssuer", "metadata": {"generation": 2}, "spec": {"external": {}}, "status": {"observedGeneration": 1,
				"conditions": [{"type": "Ready", "status": "True", "message": "tokens can be verified"}]}}`,
			"Progressing", "the operator has not yet seen the latest change",
		},
		{
			"revocation that is recorded",
			`{"kind": "TokenRevocation", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "recorded": 7,
				"conditions": [{"type": "Ready", "status": "True", "message": "it is in the revocation list"}]}}`,
			"Healthy", "it is in the revocation list",
		},
		{
			"identity that gets its tokens",
			`{"kind": "ServiceIdentity", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Ready", "status": "True", "message": "policies can name this identity"},
				{"type": "TokensGranted", "status": "True", "message": "it may ask"}]}}`,
			"Healthy", "policies can name this identity",
		},
		{
			"identity that asks for a token that nobody gives it",
			`{"kind": "ServiceIdentity", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Ready", "status": "True", "message": "policies can name this identity"},
				{"type": "TokensGranted", "status": "False", "observedGeneration": 1, "message": "it gets nothing"}]}}`,
			"Degraded", "it gets nothing",
		},
		{
			"identity that asked for a token that nobody gave it, before it was changed",
			`{"kind": "ServiceIdentity", "metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": [
				{"type": "Ready", "status": "True", "message": "policies can name this identity"},
				{"type": "TokensGranted", "status": "False", "observedGeneration": 1, "message": "it gets nothing"}]}}`,
			"Healthy", "policies can name this identity",
		},
		{
			"identity whose service account another one holds",
			`{"kind": "ServiceIdentity", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Issued", "status": "True", "message": "2 certificates"},
				{"type": "Ready", "status": "False", "reason": "Conflicted", "message": "shop/old holds it"}]}}`,
			"Degraded", "shop/old holds it",
		},
		{
			"issuer without keys",
			`{"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "KeysAvailable", "status": "False", "reason": "NoKeys", "message": "no keys"},
				{"type": "Ready", "status": "False", "reason": "NoKeys", "message": "no keys"}]}}`,
			"Degraded", "no keys",
		},
		{
			"fresh waiver",
			`{"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Active", "status": "Unknown", "reason": "Pending", "message": "waiting for the audit"}]}}`,
			"Progressing", "waiting for the audit",
		},
		{
			"waiver that counts",
			`{"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "covers": 1, "conditions": [
				{"type": "Active", "status": "True", "reason": "Active", "message": "it covers one finding"}]}}`,
			"Healthy", "it covers one finding",
		},
		{
			"expired waiver",
			`{"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Active", "status": "False", "reason": "Expired", "message": "it ended"}]}}`,
			"Degraded", "it ended",
		},
		{
			"ready identity",
			`{"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "spiffeId": "spiffe://cluster.local/ns/a/sa/b",
				"conditions": [{"type": "Ready", "status": "True"}]}}`,
			"Healthy", "",
		},
		{
			"waiver that nobody has looked at",
			`{"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [
				{"type": "Active", "status": "Unknown", "reason": "Pending", "message": "waiting for the audit"}]}}`,
			"Progressing", "waiting for the audit",
		},
		{
			"waiver in force",
			`{"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "covers": 1, "conditions": [
				{"type": "Active", "status": "True", "reason": "Active", "message": "covers 1 finding"}]}}`,
			"Healthy", "covers 1 finding",
		},
		{
			"waiver that has ended",
			`{"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "covers": 0, "conditions": [
				{"type": "Active", "status": "False", "reason": "Expired", "message": "ended"}]}}`,
			"Degraded", "ended",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			status, message := health(t, c.object)
			if status != c.status || message != c.message {
				t.Errorf("got %s %q, expected %s %q", status, message, c.status, c.message)
			}
		})
	}
}
