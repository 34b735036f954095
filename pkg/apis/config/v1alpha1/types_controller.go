// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	componentbaseconfigv1alpha1 "k8s.io/component-base/config/v1alpha1"

	extensionsconfigv1alpha1 "github.com/gardener/gardener/extensions/pkg/apis/config/v1alpha1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// ControllerConfiguration is the configuration file of the extension's binary.
type ControllerConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// ClientConnection configures the connection to the API server of the cluster that the extension runs in:
	// `acceptContentTypes`, `contentType`, `qps` (requests per second) and `burst` (requests). `kubeconfig` has no effect, the flag is used.
	// Default: qps 100, burst 130, the rest is left to the client.
	// +optional
	ClientConnection *componentbaseconfigv1alpha1.ClientConnectionConfiguration `json:"clientConnection,omitempty"`
	// HealthCheckConfig configures the health check controller: `syncPeriod` is the time between two checks of an Extension, as
	// a duration of more than zero. The condition CollectorHealthy is that old at most.
	// Default: syncPeriod 30s.
	// +optional
	HealthCheckConfig *extensionsconfigv1alpha1.HealthCheckConfig `json:"healthCheckConfig,omitempty"`
}
