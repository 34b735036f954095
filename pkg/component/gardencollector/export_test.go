// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

// AddChecksum annotates the pods of a collector with a checksum over all that they are made of.
var AddChecksum = addChecksum
