// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// authorizationConfig lets gardener-admission-controller decide for the identities of seeds what RBAC does not allow, as
// gardener-operator configures it (pkg/operator/controller/garden/garden/components.go, newKubeAPIServer).
const authorizationConfig = `apiVersion: apiserver.config.k8s.io/v1beta1
kind: AuthorizationConfiguration
authorizers:
- type: RBAC
  name: rbac
- type: Webhook
  name: seed-authorizer
  webhook:
    authorizedTTL: 1ns
    unauthorizedTTL: 1ns
    timeout: 10s
    failurePolicy: Deny
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    matchConditions:
    - expression: "'gardener.cloud:system:seeds' in request.groups || request.groups.exists(e, e.startsWith('system:serviceaccounts:seed-'))"
    connectionInfo:
      type: KubeConfigFile
      kubeConfigFile: %s
`

func (c *Cluster) authorizationConfigFile() string {
	return filepath.Join(c.Dir, "authorization.yaml")
}

func (c *Cluster) authorizationArgs() []string {
	if c.SeedAuthorizerURL == "" {
		return []string{"--authorization-mode=RBAC"}
	}
	return []string{"--authorization-config=" + c.authorizationConfigFile()}
}

func (c *Cluster) writeAuthorizationConfig() error {
	if c.SeedAuthorizerURL == "" {
		return nil
	}
	kubeconfig := filepath.Join(c.Dir, "seed-authorizer.yaml")
	if err := c.WriteKubeconfig(kubeconfig, c.SeedAuthorizerURL, &clientcmdapi.AuthInfo{}); err != nil {
		return err
	}
	if err := os.WriteFile(c.authorizationConfigFile(), fmt.Appendf(nil, authorizationConfig, kubeconfig), 0o600); err != nil {
		return fmt.Errorf("failed to write the configuration of the authorizers of cluster %s: %w", c.Name, err)
	}
	return nil
}
