package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"gopkg.in/yaml.v3"
)

// The CRDs keep fields that they do not know, for the operator to refuse, so an API server does not find them. Here a
// mistyped field in an example or in the guide is found without a cluster.
func schemas(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(chart + "templates/crd-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs: %v", err)
	}
	directive := regexp.MustCompile(`(?m)^.*\{\{-.*\n`)
	found := map[string]map[string]any{}
	for _, file := range files {
		var crd struct {
			Spec struct {
				Names    struct{ Kind string }
				Versions []struct {
					Schema struct {
						Schema map[string]any `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		text := directive.ReplaceAllString(read(t, "templates/"+filepath.Base(file)), "")
		if err := yaml.Unmarshal([]byte(text), &crd); err != nil {
			t.Fatal(err)
		}
		spec := crd.Spec.Versions[0].Schema.Schema["properties"].(map[string]any)["spec"]
		found[crd.Spec.Names.Kind] = spec.(map[string]any)
	}
	return found
}

// The paths of fields in a value that its schema does not name.
func unknown(value any, schema map[string]any, path string) []string {
	var found []string
	switch value := value.(type) {
	case map[string]any:
		properties, named := schema["properties"].(map[string]any)
		for name, item := range value {
			below, ok := properties[name].(map[string]any)
			switch {
			case ok:
				found = append(found, unknown(item, below, path+"."+name)...)
			case named || schema["additionalProperties"] == nil:
				found = append(found, path+"."+name)
			}
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for index, item := range value {
			found = append(found, unknown(item, items, fmt.Sprintf("%s[%d]", path, index))...)
		}
	}
	return found
}

func checkDocuments(t *testing.T, schemas map[string]map[string]any, source string, text []byte) (checked int) {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var object struct {
			Kind string
			Spec map[string]any
		}
		if err := decoder.Decode(&object); err != nil {
			if err.Error() != "EOF" {
				t.Errorf("%s: %v", source, err)
			}
			return checked
		}
		schema, ours := schemas[object.Kind]
		if !ours {
			continue
		}
		checked++
		for _, field := range unknown(object.Spec, schema, "spec") {
			t.Errorf("%s: %s has no field %s", source, object.Kind, field)
		}
	}
}

func TestExamplesNameOnlyFieldsThatExist(t *testing.T) {
	schemas := schemas(t)
	checked := 0
	for _, pattern := range []string{"../../examples/*.yaml", "../../examples/*/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checked += checkDocuments(t, schemas, file, text)
		}
	}
	if checked == 0 {
		t.Error("no example was checked")
	}
}

func TestTheGuideNamesOnlyFieldsThatExist(t *testing.T) {
	schemas := schemas(t)
	fence := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fence.FindAllSubmatch(text, -1) {
			checked += checkDocuments(t, schemas, file, block[1])
		}
	}
	if checked == 0 {
		t.Error("no block of the guide was checked")
	}
}

func TestUnknownFieldsAreFound(t *testing.T) {
	policy := []byte("{rulez: [], rules: [{name: a, operations: [{path: /}]}], selector: {matchLabels: {any: thing}}}")
	var spec map[string]any
	if err := yaml.Unmarshal(policy, &spec); err != nil {
		t.Fatal(err)
	}
	found := unknown(spec, schemas(t)["ApiAuthPolicy"], "spec")
	if len(found) != 2 {
		t.Errorf("expected spec.rulez and spec.rules[0].operations[0].path, got %v", found)
	}
}
