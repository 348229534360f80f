//go:build tools

// Package tools keeps the API of OpenReports among the requirements: the testbed takes its CRDs from the module's folder.
package tools

import _ "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
