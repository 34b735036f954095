// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +groupName=otel-federation.extensions.gardener.cloud

// Package config contains the internal types of the configuration of this extension: the providerConfigs of its Extension
// resources and the configuration file of its binary.
package config
