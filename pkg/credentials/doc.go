// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package credentials holds what the issuer of the seeds' credentials and those who hand them on have in common: the
// issuer's configuration, the signing key and its public part, the tokens, and the Secret that carries them. It talks to no
// API server.
package credentials
