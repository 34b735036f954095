{{- /*
SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors

SPDX-License-Identifier: Apache-2.0
*/ -}}
{{- /* The deployments for the garden runtime cluster and for the seed may run in the same cluster. */ -}}
{{- define "name" -}}
{{- if .Values.gardener.runtimeCluster.enabled -}}
gardener-extension-otel-federation-runtime
{{- else -}}
gardener-extension-otel-federation
{{- end -}}
{{- end -}}

{{- define "class" -}}
{{- if .Values.gardener.runtimeCluster.enabled -}}
garden
{{- else -}}
seed
{{- end -}}
{{- end -}}

{{- /* The label `app` of the collectors of this class, and the prefix of their names. */ -}}
{{- define "collector" -}}
otel-federation-{{ include "class" . }}
{{- end -}}

{{- define "leaderElectionID" -}}
{{ include "name" . }}-leader-election
{{- end -}}

{{- /* Every replica of the garden part serves the webhook, those of the seed part only wait to become the leader. */ -}}
{{- define "replicaCount" -}}
{{- if not (kindIs "invalid" .Values.replicaCount) -}}
{{ .Values.replicaCount }}
{{- else if .Values.gardener.runtimeCluster.enabled -}}
2
{{- else -}}
1
{{- end -}}
{{- end -}}

{{- define "webhookCertDir" -}}
/tmp/gardener-extensions-cert
{{- end -}}

{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "config" -}}
apiVersion: otel-federation.extensions.gardener.cloud/v1alpha1
kind: ControllerConfiguration
{{- with .Values.config }}
{{ toYaml . }}
{{- end }}
{{- end -}}
