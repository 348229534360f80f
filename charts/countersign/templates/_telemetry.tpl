{{/* Where records are sent, for every binary: nothing without an endpoint. */}}
{{- define "countersign.collectorEnv" -}}
{{- if .Values.telemetry.otlp.endpoint -}}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .Values.telemetry.otlp.endpoint | quote }}
{{- if .Values.telemetry.otlp.caConfigMap }}
- name: OTEL_EXPORTER_OTLP_CERTIFICATE
  value: /etc/countersign/collector/ca.crt
{{- end }}
{{- end }}
{{- end }}

{{- define "countersign.collectorMount" -}}
{{- if and .Values.telemetry.otlp.endpoint .Values.telemetry.otlp.caConfigMap -}}
- name: collector
  mountPath: /etc/countersign/collector
  readOnly: true
{{- end }}
{{- end }}

{{- define "countersign.collectorVolume" -}}
{{- if and .Values.telemetry.otlp.endpoint .Values.telemetry.otlp.caConfigMap -}}
- name: collector
  configMap:
    name: {{ .Values.telemetry.otlp.caConfigMap }}
{{- end }}
{{- end }}
