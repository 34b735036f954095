// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package handover decides for each seed whether the garden Prometheus pulls from it or the seed pushes, and says what follows
// for the ScrapeConfigs. It changes nothing itself: the controller applies it, the webhook defends it.
package handover
