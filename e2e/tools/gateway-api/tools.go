//go:build tools

// Package tools keeps the Gateway API among the requirements: the testbed takes its CRDs from the module's folder.
package tools

import _ "sigs.k8s.io/gateway-api/apis/v1"
