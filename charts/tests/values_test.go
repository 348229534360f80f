package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const chart = "../countersign/"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(chart + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The values that a person can set, each by its path, with the comment above it.
func values(t *testing.T) map[string]string {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, "values.yaml")), &document); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	var walk func(node *yaml.Node, path string)
	walk = func(node *yaml.Node, path string) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			name := strings.TrimPrefix(path+"."+key.Value, ".")
			// A mapping with a comment of its own (`resources`) is one value.
			if value.Kind == yaml.MappingNode && len(value.Content) > 0 && !strings.HasPrefix(key.HeadComment, "# -- ") {
				walk(value, name)
				continue
			}
			found[name] = key.HeadComment
		}
	}
	walk(document.Content[0], "")
	return found
}

// The chart's templates, by their paths in it.
func templates(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"templates/*.*", "templates/*/*.*"} {
		files, err := filepath.Glob(chart + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no templates: %v", err)
		}
		for _, file := range files {
			found = append(found, strings.TrimPrefix(file, chart))
		}
	}
	return found
}

func names[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for name := range m {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

func TestEveryValueIsDocumented(t *testing.T) {
	for name, comment := range values(t) {
		if !strings.HasPrefix(comment, "# -- ") {
			t.Errorf("%s has no comment that starts with `# -- `", name)
		}
	}
}

func TestEveryValueIsUsedAndEveryUsedValueIsThere(t *testing.T) {
	used := map[string]bool{}
	for _, file := range templates(t) {
		text := read(t, file)
		for _, match := range regexp.MustCompile(`\.Values\.([A-Za-z.]+)`).FindAllStringSubmatch(text, -1) {
			used[match[1]] = true
		}
	}
	there := values(t)
	for _, name := range names(used) {
		if _, ok := there[name]; !ok {
			t.Errorf("the templates use %s, which values.yaml does not have", name)
		}
	}
	for _, name := range names(there) {
		if !used[name] {
			t.Errorf("no template uses %s", name)
		}
	}
}

type schema struct {
	Type                 any               `json:"type"`
	Properties           map[string]schema `json:"properties"`
	AdditionalProperties any               `json:"additionalProperties"`
}

func TestSchemaHasTheSameNamesAndRefusesOthers(t *testing.T) {
	var root schema
	if err := json.Unmarshal([]byte(read(t, "values.schema.json")), &root); err != nil {
		t.Fatal(err)
	}
	there := values(t)
	known := map[string]bool{}
	var walk func(node schema, path string)
	walk = func(node schema, path string) {
		if node.AdditionalProperties != false {
			t.Errorf("the schema of %q allows other names", path)
		}
		for key, child := range node.Properties {
			name := strings.TrimPrefix(path+"."+key, ".")
			if _, value := there[name]; !value && len(child.Properties) > 0 {
				walk(child, name)
				continue
			}
			known[name] = true
		}
	}
	walk(root, "")
	delete(known, "global") // Helm's own.
	for _, name := range names(there) {
		if !known[name] {
			t.Errorf("values.schema.json does not know %s", name)
		}
	}
	for _, name := range names(known) {
		if _, ok := there[name]; !ok {
			t.Errorf("values.schema.json knows %s, which values.yaml does not have", name)
		}
	}
}

// The rules of roles in a template: for each list of verbs, the lists before it.
var rule = regexp.MustCompile(`(?m)^- apiGroups: \[(.*)\]\n  resources: \[(.*)\]\n(?:  resourceNames: \[(.*)\]\n)?  verbs: \[(.*)\]$`)

func TestRolesNameWhatTheyAllow(t *testing.T) {
	const audit, signer = "templates/webhook/audit-rbac.yaml", "templates/signer/rbac.yaml"
	checked := 0
	for _, file := range templates(t) {
		text := read(t, file)
		if !strings.Contains(text, "\nrules:\n- apiGroups") || !strings.Contains(text, "kind: ClusterRole\n") {
			continue
		}
		rules := rule.FindAllStringSubmatch(text, -1)
		if len(rules) != strings.Count(text, "  verbs:") {
			t.Errorf("%s has rules that are written in another way", file)
		}
		for _, match := range rules {
			checked++
			groups, resources, only, verbs := match[1], match[2], match[3], match[4]
			all := groups + resources + verbs
			switch {
			case strings.Contains(all, "impersonate") || strings.Contains(verbs, "*"):
				t.Errorf("%s allows too much: %s", file, match[0])
			case file == audit && strings.Contains(groups+resources, "*"):
				if verbs != "list, watch" {
					t.Errorf("%s may do more than read: %s", file, match[0])
				}
			case strings.Contains(all, "*"):
				t.Errorf("%s allows too much: %s", file, match[0])
			case strings.Contains(resources, "secrets") && verbs != "create" && only == "":
				t.Errorf("%s may read Secrets: %s", file, match[0])
			case strings.Contains(resources, "secrets") && verbs != "create" && verbs != "get" && file != signer:
				t.Errorf("%s may do more than read a Secret: %s", file, match[0])
			case strings.Contains(only, "countersign-ca") && file != signer:
				t.Errorf("%s may read the authority's keys: %s", file, match[0])
			}
		}
	}
	// What it may do in all namespaces has no Secrets in it.
	everywhere, _, _ := strings.Cut(read(t, signer), "\nkind: Role\n")
	if strings.Contains(everywhere, "secrets") {
		t.Errorf("%s may read Secrets everywhere", signer)
	}
	if checked < 10 {
		t.Errorf("only %d rules were checked", checked)
	}
}

// Every binary sends its records, and finds the certificate authorities where it is told that they are.
func TestEveryWorkloadSendsItsRecords(t *testing.T) {
	workloads := 0
	for _, template := range templates(t) {
		text := read(t, template)
		if !regexp.MustCompile(`(?m)^kind: (Deployment|DaemonSet)$`).MatchString(text) {
			continue
		}
		workloads++
		for _, part := range []string{
			`{{- with include "countersign.collectorEnv" . }}`,
			`{{- with include "countersign.collectorMount" . }}`,
			`{{- with include "countersign.collectorVolume" . }}`,
			"- name: POD_NAME\n",
			"- name: POD_NAMESPACE\n",
		} {
			if strings.Count(text, part) != 1 {
				t.Errorf("%s has %q %d times, not once", template, part, strings.Count(text, part))
			}
		}
	}
	if workloads != 5 {
		t.Errorf("%d workloads, not 5", workloads)
	}
	// The file that is named is where the volume is mounted.
	where := regexp.MustCompile(`(?m)(value|mountPath): (/etc/countersign/collector)(/ca\.crt)?$`)
	if found := where.FindAllString(read(t, "templates/_telemetry.tpl"), -1); len(found) != 2 {
		t.Errorf("the certificate authorities are in one place: %q", found)
	}
}
