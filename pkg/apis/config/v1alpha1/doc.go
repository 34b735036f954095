// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +k8s:conversion-gen=github.com/gardener/gardener-extension-otel-federation/pkg/apis/config
// +k8s:defaulter-gen=TypeMeta
// +groupName=otel-federation.extensions.gardener.cloud

// Package v1alpha1 is version v1alpha1 of the configuration of this extension: the providerConfigs of its Extension resources
// and the configuration file of its binary.
package v1alpha1
